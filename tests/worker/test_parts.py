"""Parts that settings choose: loaded, checked, started, used and closed."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import importlib
import json
import re
import sys
import types
from pathlib import Path

import pytest

from tests.support.parts import counting_storage, file_streams, notify_doorbell
from tests.worker.engine.conftest import WORKFLOW, Clock
from tests.worker.routes.conftest import WORKFLOW as DEPLOYED
from tests.worker.routes.conftest import make_settings, running
from workflow_studio.worker.composition import COMPUTE, KINDS, QUEUE, STREAMS, choose, stand_in
from workflow_studio.worker.engine import Engine
from workflow_studio.worker.engine.doorbell import InProcessDoorbell
from workflow_studio.worker.loading import PartError
from workflow_studio.worker.main import main
from workflow_studio.worker.parts import StreamWrite
from workflow_studio.worker.ports import CallContext

GUIDE = Path(__file__).parents[2] / "docs/guides/extending.md"


@pytest.fixture
def module(monkeypatch):
    made = types.ModuleType("third_party")
    monkeypatch.setitem(sys.modules, "third_party", made)
    return made


@pytest.fixture
def guide(tmp_path, monkeypatch):
    """Write the examples of the guide down as it says, and return their folder."""
    folder = tmp_path / "examples"
    folder.mkdir()
    blocks = re.findall(r'```python title="(\w+\.py)"\n(.*?)```', GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    for name, code in blocks:
        (folder / name).write_text(code, encoding="utf-8")
    monkeypatch.syspath_prepend(folder)
    importlib.invalidate_caches()
    yield folder
    for name, _ in blocks:
        sys.modules.pop(name.removesuffix(".py"), None)


def chosen(kind, tmp_path, path):
    return choose(kind, make_settings(tmp_path, **{kind.setting: path}), lambda: stand_in(kind))


class TestLoading:
    def refused(self, tmp_path, path, kind=QUEUE):
        with pytest.raises(PartError) as refusal:
            chosen(kind, tmp_path, path)
        return refusal.value

    @pytest.mark.parametrize(
        "path", ["", "module", "module:", ":factory", "a b:c", "/etc/x:y", "os:system()", "a..b:c"]
    )
    def test_a_setting_that_is_no_import_path_is_wrong(self, tmp_path, path):
        with pytest.raises(ValueError, match="must be built-in"):
            make_settings(tmp_path, queue=path)

    def test_a_module_that_is_not_there_is_named(self, tmp_path):
        error = self.refused(tmp_path, "nobody_has.this:make")
        assert error.message == "There is no module nobody_has, which QUEUE names."
        assert "PYTHONPATH" in error.recovery

    def test_a_module_that_needs_another_one_says_which(self, tmp_path, monkeypatch):
        (tmp_path / "needy.py").write_text("import nobody_has_that\n")
        monkeypatch.syspath_prepend(tmp_path)
        assert self.refused(tmp_path, "needy:make").message == "The module needy needs nobody_has_that."

    def test_a_module_that_fails_and_prints(self, tmp_path, monkeypatch, capsys):
        (tmp_path / "failing.py").write_text("print('hello')\n1 / 0\n")
        monkeypatch.syspath_prepend(tmp_path)
        assert "cannot be imported: ZeroDivisionError" in self.refused(tmp_path, "failing:make").message
        assert capsys.readouterr() == ("", "hello\n")

    def test_a_factory_that_is_not_there_or_cannot_be_called(self, tmp_path, module):
        module.make = 1
        for name in ("make", "other", "Class.make"):
            assert f"has no factory {name}" in self.refused(tmp_path, f"third_party:{name}").message

    def test_a_factory_that_fails(self, tmp_path, module):
        module.make = lambda: None
        assert "failed: TypeError" in self.refused(tmp_path, "third_party:make").message

    def test_a_factory_must_not_be_async(self, tmp_path, module):
        async def make(context):
            return context

        module.make = make
        assert "`async def`" in self.refused(tmp_path, "third_party:make").message

    @pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.setting)
    def test_every_missing_method_is_named(self, tmp_path, module, kind):
        module.make = lambda context: object()
        message = self.refused(tmp_path, "third_party:make", kind).message
        required = [name for name in vars(kind.interface) if not name.startswith("_")]
        assert required
        assert all(f"no method {name}" in message for name in required), message

    def test_methods_that_cannot_be_called_as_they_will_be_are_named(self, tmp_path, module):
        class Wrong:
            def ring(self, transaction):
                pass

            async def on_ring(self, callback):
                pass

            def start(self):
                pass

        module.make = lambda context: Wrong()
        message = self.refused(tmp_path, "third_party:make").message
        assert "ring must take (transaction, run_at)" in message
        assert "on_ring must not be `async def`" in message
        assert "start must be `async def`" in message

    def test_optional_methods_are_looked_at_where_they_are(self, tmp_path, module):
        class Wrong:
            async def get_deployment_id(self):
                pass

            async def publish(self, queue_name, message, options=None):
                pass

            def create_consumer(self, prefix, handler):
                pass

            def trigger(self, request, more):
                pass

        module.make = lambda context: Wrong()
        message = self.refused(tmp_path, "third_party:make", COMPUTE).message
        assert "trigger must be `async def`" in message
        assert "trigger must take (request)" in message

    def test_a_factory_is_given_the_environment_and_the_folders(self, tmp_path, module, monkeypatch):
        contexts = []

        def make(context):
            contexts.append(context)
            return InProcessDoorbell()

        module.make = make
        monkeypatch.setenv("A_VARIABLE", "x")
        monkeypatch.chdir(tmp_path)
        settings = make_settings("data", queue="third_party:make")
        choose(QUEUE, settings, lambda: "the default")
        (context,) = contexts
        assert (context.env["A_VARIABLE"], context.cwd, context.data_dir) == ("x", tmp_path, tmp_path / "data")
        assert context.default == "the default"

    def test_a_class_is_a_factory_and_the_built_in_is_not_made_unless_wanted(self, tmp_path):
        made = chosen(STREAMS, tmp_path, "tests.support.parts.file_streams:make")
        assert isinstance(made, file_streams.FileStreams)


@pytest.mark.node
class TestCheckConfig:
    @pytest.fixture(autouse=True)
    def clean(self, monkeypatch, tmp_path):
        monkeypatch.setenv("NODE_ENV", "test")
        monkeypatch.setenv("WORKFLOW_STUDIO_WORKER_DATA_DIR", str(tmp_path / "data"))
        self.set = lambda name, value: monkeypatch.setenv(f"WORKFLOW_STUDIO_WORKER_{name}", value)

    def check(self, capsys, expect):
        assert main(["--check", "--port", "0"]) == expect
        return json.loads(capsys.readouterr().out)

    def test_without_settings_all_parts_are_built_in(self, capsys):
        parts = self.check(capsys, 0)["settings"]["parts"]
        assert parts == dict.fromkeys(("storage", "queue", "streams", "objects", "compute"), "built-in")

    def test_custom_parts_are_made_and_shown_and_nothing_is_started(self, capsys, guide, tmp_path):
        self.set("COMPUTE", "shop_compute:ShopCompute")
        self.set("QUEUE", "socket_doorbell:SocketDoorbell")
        self.set("STREAMS", "tests.support.parts.file_streams:make")
        self.set("STORAGE", "timed_storage:TimedStorage")
        facts = self.check(capsys, 0)["settings"]
        assert facts["parts"]["compute"] == "shop_compute:ShopCompute"
        assert facts["computeDoes"] == ["start", "webhook_ingress"]
        assert facts["database"] == "custom"
        assert not (tmp_path / "data").exists()

    def test_what_is_wrong_is_said_for_each_part(self, capsys, module):
        module.make = lambda context: object()
        for name in ("COMPUTE", "QUEUE", "STREAMS", "STORAGE"):
            self.set(name, "third_party:make")
        document = self.check(capsys, 1)
        assert [finding["code"] for finding in document["findings"]] == ["invalid_part"] * 4
        assert all(finding["hint"] for finding in document["findings"])

    def test_a_value_that_is_no_import_path_is_a_wrong_setting(self, capsys):
        self.set("COMPUTE", "compute.js")
        (finding,) = self.check(capsys, 1)["findings"]
        assert finding["code"] == "invalid_settings"
        assert "compute is wrong: must be built-in, or a factory" in finding["message"]

    def test_a_factory_that_uses_the_built_in_part_too_early_is_told(self, capsys, module):
        def make(context):
            context.default.get_deployment_id()

        module.make = make
        self.set("COMPUTE", "third_party:make")
        (finding,) = self.check(capsys, 1)["findings"]
        assert "calls get_deployment_id of the built-in part" in finding["message"]


@pytest.mark.node
class TestRefusing:
    def test_a_worker_with_a_part_that_is_not_there_says_so_and_does_not_start(self, capsys, monkeypatch, tmp_path):
        monkeypatch.setenv("WORKFLOW_STUDIO_WORKER_STORAGE", "nobody_has.this:make")
        assert main(["--port", "0", "--data-dir", str(tmp_path / "data")]) == 1
        out, err = capsys.readouterr()
        assert (out, err.splitlines()[0]) == ("", "Error: There is no module nobody_has, which STORAGE names.")
        assert "Traceback" not in err
        assert not (tmp_path / "data").exists()

    def test_to_programs_it_says_so_in_a_document(self, capsys, monkeypatch, tmp_path, guide):
        monkeypatch.delenv("SHOP_WEBHOOK_SECRET", raising=False)
        monkeypatch.setenv("WORKFLOW_STUDIO_WORKER_COMPUTE", "shop_compute:ShopCompute")
        assert main(["--port", "0", "--data-dir", str(tmp_path / "data"), "--json"]) == 1
        document = json.loads(capsys.readouterr().out)
        assert document["error"]["code"] == "part_failed"
        assert "SHOP_WEBHOOK_SECRET is not set" in document["error"]["message"]


class TestRunning:
    async def test_the_compute_of_the_guide_starts_a_workflow_for_a_payment(self, tmp_path, guide, monkeypatch):
        monkeypatch.setenv("SHOP_WEBHOOK_SECRET", "s3cret")
        async with running(make_settings(tmp_path / "data", compute="shop_compute:ShopCompute")) as worker:
            await worker.deploy()
            content = json.dumps({"type": "paid", "workflow": DEPLOYED, "order": "o-1"}).encode()
            signature = hmac.new(b"s3cret", content, hashlib.sha256).hexdigest()
            headers = {"x-shop-signature": signature, "content-type": "application/json"}
            answer = await worker.post("/v1/webhooks/shop", content=content, headers=headers)
            assert (answer.status_code, answer.json()) == (200, {"accepted": True})
            (run,) = (await worker.get("/v1/runs", params={"resolveData": "all"})).json()["data"]
            assert run["input"] == ["o-1"]
            refused = await worker.post("/v1/webhooks/shop", content=b"{}", headers=headers)
            assert (refused.status_code, refused.json()["message"]) == (403, "The signature is not the shop's.")

    async def test_a_part_that_does_not_start_ends_the_start(self, tmp_path, guide, monkeypatch):
        monkeypatch.delenv("SHOP_WEBHOOK_SECRET", raising=False)
        with pytest.raises(PartError, match="SHOP_WEBHOOK_SECRET is not set") as refusal:
            async with running(make_settings(tmp_path / "data", compute="shop_compute:ShopCompute")):
                raise AssertionError
        assert refusal.value.code == "part_failed"

    async def test_the_other_examples_of_the_guide_carry_a_worker(self, tmp_path, guide, caplog):
        caplog.set_level("INFO", logger="timed_storage")
        parts = {"queue": "socket_doorbell:SocketDoorbell", "storage": "timed_storage:TimedStorage"}
        async with running(make_settings(tmp_path / "data", **parts)) as worker:
            await worker.deploy()
            started = await worker.post("/v1/runs", json={"workflowName": DEPLOYED}, headers={"idempotency-key": "k"})
            await _delivered(worker.pool, started.json()["runId"])
        assert "A write took" in caplog.text

    async def test_streams_in_files_outlive_the_worker_and_are_sealed_like_others(self, tmp_path):
        parts = {"streams": "tests.support.parts.file_streams:make"}
        settings = make_settings(tmp_path / "data", master_key=base64.b64encode(b"k" * 32).decode(), **parts)
        write = {"name": "s", "runId": "wrun_x", "chunks": [b"in clear", b""], "writerId": "w", "sequence": 0}
        async with running(settings) as worker:
            await worker.world("streams.write", write)
        (file,) = (tmp_path / "data/streams").iterdir()
        with file.open("ab") as torn:
            torn.write(b'{"stream": "s", "at": 1, "run": "wrun_x", "wr')
        assert b"in clear" not in file.read_bytes()
        async with running(settings) as worker:
            await worker.world("streams.write", write)
            await worker.world("streams.close", {"name": "s", "runId": "wrun_x"})
            read = await worker.world("streams.read", {"name": "s", "startIndex": 0})
        assert read == {"chunks": [b"in clear", b""], "nextIndex": 2, "done": True}

    async def test_a_storage_may_wrap_the_built_in_one(self, tmp_path, monkeypatch):
        monkeypatch.setattr(counting_storage.CountingStorage, "opened", [])
        path = "tests.support.parts.counting_storage:CountingStorage"
        async with running(make_settings(tmp_path / "data", storage=path)) as worker:
            await worker.start()
        (backend,) = counting_storage.CountingStorage.opened
        assert backend.reads
        assert backend.writes
        assert (tmp_path / "data/worker.db").exists()

    async def test_a_storage_that_opens_no_backend_is_refused(self, tmp_path, module):
        class Storage:
            def __init__(self, context):
                pass

            def open(self):
                return object()

        module.Storage = Storage
        with pytest.raises(PartError, match="no attribute lost"):
            async with running(make_settings(tmp_path / "data", storage="third_party:Storage")):
                raise AssertionError

    async def test_a_part_that_does_not_close_keeps_nobody(self, tmp_path, module, caplog):
        class Stuck(InProcessDoorbell):
            def __init__(self, context):
                super().__init__()

            async def close(self):
                await asyncio.Event().wait()

        module.Stuck = Stuck
        async with running(make_settings(tmp_path / "data", queue="third_party:Stuck")):
            pass
        assert "The Doorbell of QUEUE did not close in time." in caplog.text


async def test_a_doorbell_may_ring_through_the_database(postgres_place):
    clock = Clock()
    postgres_place.empty()
    database = postgres_place.open()
    bell = notify_doorbell.NotifyDoorbell(postgres_place.location)
    rung = asyncio.Event()
    bell.on_ring(rung.set)
    await bell.start()
    try:
        engine = Engine(database, clock=clock, doorbell=bell)
        envelope = {"queueName": f"__wkf_workflow_{WORKFLOW}", "body": b"x", "runId": "wrun_x", "isWake": True}

        def undone(transaction):
            engine.queue.wake(transaction, "wrun_y", run_at=1, queue_name="__wkf_workflow_x")
            raise RuntimeError

        with pytest.raises(RuntimeError):
            await database.write(undone)
        await engine.world.call("queue.publish", {**envelope, "delaySeconds": 7}, CallContext())
        async with asyncio.timeout(10):
            await rung.wait()
        assert bell.heard == [clock.now + 7000]
    finally:
        await bell.close()
        await database.close()


def test_what_is_stored_of_a_write_is_sealed_to_its_place():
    write = StreamWrite("s", "r", "w", 0, [b"a", b"b"], lambda index, chunk: b"%d:%s" % (index, chunk))
    assert write.stored(5) == [b"5:a", b"6:b"]
    assert "b'a'" not in repr(write)


async def _delivered(pool, run_id):
    async with asyncio.timeout(10):
        while not any(delivery.run_id == run_id for delivery in pool.deliveries):  # noqa: ASYNC110  # it tells nobody
            await asyncio.sleep(0.01)
