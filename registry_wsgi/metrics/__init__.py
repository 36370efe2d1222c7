"""What is measured: counted in each process at the cost of an addition, added up where somebody asks."""
