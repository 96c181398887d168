"""A client that is generated from the OpenAPI document, by a generator of others, works."""

import json
import subprocess
import sys
import venv

import pytest

from tests.worker.artifacts.archives import FILES, artifact
from tests.worker.routes.conftest import ADMIN, WORKFLOW
from tests.worker.routes.populated import populated

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

GENERATOR = "openapi-python-client>=0.29,<0.30"

PROGRAM = """
import io, json, sys
from generated import AuthenticatedClient
from generated.api.deployments import activate_deployment, create_deployment
from generated.api.keys import create_api_key, revoke_api_key
from generated.api.runs import cancel_run, get_run, list_runs, rerun_run, trigger
from generated.models import CreateApiKeyRequest, ComputeScope, RerunRequest, TriggerRequest
from generated.types import File

url, secret, workflow, archive = sys.argv[1:]
client = AuthenticatedClient(base_url=url, token=secret, raise_on_unexpected_status=True)
with open(archive, "rb") as content:
    deployed = create_deployment.sync(client=client, body=File(payload=content))
active = activate_deployment.sync(deployed.deployment_id, client=client)
body = TriggerRequest(workflow_name=workflow, input_=["order-17"])
started = trigger.sync(client=client, body=body, idempotency_key="one")
again = trigger.sync(client=client, body=body, idempotency_key="one")
run = get_run.sync(started.run_id, client=client)
rerun = rerun_run.sync(started.run_id, client=client, body=RerunRequest(), idempotency_key="two")
ended = cancel_run.sync(started.run_id, client=client)
listed = list_runs.sync(client=client, limit=2)
missing = get_run.sync("wrun_nobody", client=client)
key = create_api_key.sync(client=client, body=CreateApiKeyRequest(scopes=[ComputeScope.RUNSREAD]))
poor = AuthenticatedClient(base_url=url, token=key.secret)
refused = cancel_run.sync(started.run_id, client=poor)
revoked = revoke_api_key.sync(key.key_id, client=client)
print(json.dumps({
    "active": [active.status, active.workflows],
    "same": again.run_id == started.run_id,
    "run": [run.workflow_name, run.input_, run.created_by],
    "rerun": rerun.rerun_of == started.run_id,
    "ended": ended.status,
    "listed": [len(listed.data), listed.has_more],
    "missing": missing.code,
    "refused": [refused.code, refused.required],
    "revoked": revoked.state,
}))
"""


@pytest.fixture(scope="module")
def worker(tmp_path_factory):
    with populated(tmp_path_factory.mktemp("worker")) as worker:
        yield worker


@pytest.fixture(scope="module")
def python(tmp_path_factory):
    """A Python that has the generator, and what its clients need."""
    home = tmp_path_factory.mktemp("generator") / "venv"
    venv.create(home, with_pip=True)
    executable = home / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    run(executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", GENERATOR)
    return executable


def run(*command, **options):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_generated_client_deploys_starts_and_is_refused(worker, python, tmp_path):
    document = tmp_path / "openapi.json"
    document.write_text(json.dumps(worker.send("GET", "/v1/openapi.json")), encoding="utf-8")
    said = run(
        *(python, "-m", "openapi_python_client", "generate", "--meta", "none"),
        *("--path", document, "--output-path", tmp_path / "generated"),
    )
    # The world lane speaks CBOR, which is for the Workflow SDK and not for generated clients; the rest is all there.
    assert [line for line in said.splitlines() if "not be generated" in line and " within world" not in line] == []
    archive = tmp_path / "artifact.tgz"
    archive.write_bytes(artifact(FILES | {"flow.js": b"exports.flow = 'generated';"}))
    (tmp_path / "program.py").write_text(PROGRAM, encoding="utf-8")
    shown = run(python, "program.py", worker.url, ADMIN, WORKFLOW, archive, cwd=tmp_path)
    assert json.loads(shown) == {
        "active": ["active", [WORKFLOW]],
        "same": True,
        "run": [WORKFLOW, ["order-17"], "admin"],
        "rerun": True,
        "ended": "cancelled",
        "listed": [2, True],
        "missing": "run_not_found",
        "refused": ["missing_scope", "runs:write"],
        "revoked": "revoked",
    }
