"""The commands of the pages that tests/docs/test_commands.py does not run: those of other tests, and those of none."""

NEVER_RUN = {
    "README.md": {
        "make test": "it would run this",
        "docker push 127.0.0.1:5000/my/image:v1": "the docker engine",
    },
    "benchmarks/README.md": {
        "make bench": "half an hour on a machine that does nothing else",
        'make bench ARGS="--rows get-tag patch --rounds 3"': "a minute on such a machine",
        'make bench ARGS="--peer zot=http://127.0.0.1:5001"': "half an hour, and another registry",
        "make bench PYTHON=/usr/bin/python3 VENV=.venv-debian": "half an hour, and another Python",
        "make profile": "root's own look into a running process",
    },
    "docs/access.md": {
        "htpasswd -cB /etc/registry/htpasswd alice": "asks a person for a password, which getting-started.md does not",
        'docker login registry.example.com --username oidc --password-stdin <<< "$TOKEN"': "the docker engine",
    },
    "examples/compose/README.md": {
        "docker compose up --build --detach": "the docker engine",
    },
    "examples/gunicorn/README.md": {
        "useradd --system --home-dir /var/lib/registry --shell /usr/sbin/nologin registry": "the machine's own users",
        "python3 -m venv /opt/registry/venv": "outside the tests' directory",
        "/opt/registry/venv/bin/pip install <this project> gunicorn": "outside the tests' directory",
        "install -D -m 644 -t /etc/registry gunicorn.conf.py config.yml": "outside the tests' directory",
        "install -m 644 -t /etc/systemd/system registry.service registry.socket registry-purge.service"
        " registry-purge.timer": "outside the tests' directory",
        "systemctl daemon-reload": "systemd",
        "systemctl enable --now registry.socket registry.service registry-purge.timer": "systemd",
    },
}
"""By page, what no test runs, and what it would take."""

RUN_ELSEWHERE = {
    "README.md": {
        "make run": "tests/test_project.py::"
        "test_make_run_serves_a_registry_from_a_fresh_copy_and_starts_at_once_the_next_time",
        "podman push --tls-verify=false 127.0.0.1:5000/my/image:v1": "tests/clients/test_podman.py::"
        "test_an_image_comes_back_identical_by_tag_and_by_digest",
    },
    "docs/access.md": {
        'curl -H "Authorization: Bearer $TOKEN" https://registry.example.com/v2/_catalog': "tests/auth/test_oidc.py::"
        "test_only_ci_pushes_and_everybody_pulls",
    },
    "docs/garbage-collection.md": {
        "registry-wsgi garbage-collect config.yml --dry-run": "tests/garbage/test_command.py::"
        "test_it_says_what_it_deleted_and_how_much",
        "registry-wsgi garbage-collect config.yml": "tests/garbage/test_command.py::"
        "test_it_says_what_it_deleted_and_how_much",
        "registry-wsgi garbage-collect config.yml --delete-untagged": "tests/garbage/test_command.py::"
        "test_it_says_so_in_json",
        "registry-wsgi garbage-collect config.yml --json": "tests/garbage/test_command.py::test_it_says_so_in_json",
    },
    "examples/client_tests/README.md": {
        "pytest": "tests/testing/test_plugin.py::test_real_clients_pass_their_tests",
    },
    "examples/compose/README.md": {
        "registry-wsgi self-test https://registry.example.org": "tests/examples/test_compose.py::"
        "test_nothing_is_wrong_with_the_services_together",
    },
    "examples/many_hosts/README.md": {
        "registry-wsgi serve --workers 2 config.yml": "plugins/registry-wsgi-s3/tests/test_many_hosts.py::"
        "test_thirty_pushes_and_pulls_through_two_hosts_that_are_killed",
    },
    "examples/nginx/README.md": dict.fromkeys(
        (
            "registry-wsgi serve config.yml",
            "nginx -t && nginx -s reload",
            "registry-wsgi self-test https://registry.example.org",
        ),
        "tests/examples/test_nginx.py::test_nothing_is_wrong_with_the_example",
    ),
    "examples/third_party_driver/README.md": {
        "pip install '.[test]' && pytest -m 'not soak'": "tests/examples/test_third_party_driver.py::"
        "test_its_wheel_and_the_core_s_serve_and_pass_its_suite",
    },
}
"""By page, what is run by a test of its own, with the names and the ports that it has there."""

SHORTENED = {
    "pytest tests/conformance --registry-url http://127.0.0.1:5000 --conformance-report report.md": "-k test_base.py",
    "registry-wsgi garbage-collect config.yml": "--offline",
}
"""What is added to a command so that it does not take its time: of some hundred questions a few, nobody waited for."""

OTHERS = {page: {**NEVER_RUN.get(page, {}), **RUN_ELSEWHERE.get(page, {})} for page in {*NEVER_RUN, *RUN_ELSEWHERE}}
