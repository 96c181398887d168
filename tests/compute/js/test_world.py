"""The JavaScript World over a recorded transport."""

from __future__ import annotations

from typing import Any

import pytest

from tests.compute.js.conftest import JavaScriptError

pytestmark = pytest.mark.node

PRELUDE = """
const calls = [];
const answers = input.answers ?? {};
const call = async (method, params, options) => {
  calls.push({ method, params, ...options, signal: undefined });
  const answer = answers[method] ?? {};
  return Array.isArray(answer) ? answer.shift() : answer;
};
const world = createWorld({ call, specVersion: 3 });
"""


def run(js_eval: Any, code: str, **values: Any) -> Any:
    """Run statements with a ``world`` whose calls are in ``calls`` and answered from ``answers``."""
    return js_eval("(async () => {" + PRELUDE + code + "})()", **values)


def test_times_become_dates_and_only_they(js_eval: Any) -> None:
    answer = {
        "run": {"createdAt": 1000, "startedAt": 1732000000123, "input": 5},
        "step": {"createdAt": 1, "retryAfter": 2, "attempt": 3},
        "event": {"eventType": "step_retrying", "createdAt": 1, "eventData": {"retryAfter": 7, "resumeAt": 8}},
        "events": [
            {"eventType": "wait_created", "createdAt": 1, "occurredAt": 2, "eventData": {"resumeAt": 9}},
            {"eventType": "step_completed", "createdAt": 1, "eventData": {"retryAfter": 7, "resumeAt": 8}},
        ],
        "hook": {"createdAt": 4},
        "wait": {"resumeAt": 5},
        "cursor": "c",
    }
    code = """
    const result = await world.events.create('r', { eventType: 'run_started' });
    const show = (value) => value instanceof Date ? { date: value.getTime() }
        : Array.isArray(value) ? value.map(show)
        : value && typeof value === 'object'
          ? Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, show(inner)])) : value;
    return show(result);
    """
    assert run(js_eval, code, answers={"events.create": answer}) == {
        "run": {"createdAt": {"date": 1000}, "startedAt": {"date": 1732000000123}, "input": 5},
        "step": {"createdAt": {"date": 1}, "retryAfter": {"date": 2}, "attempt": 3},
        "event": {
            "eventType": "step_retrying",
            "createdAt": {"date": 1},
            "eventData": {"retryAfter": {"date": 7}, "resumeAt": 8},
        },
        "events": [
            {
                "eventType": "wait_created",
                "createdAt": {"date": 1},
                "occurredAt": {"date": 2},
                "eventData": {"resumeAt": {"date": 9}},
            },
            {"eventType": "step_completed", "createdAt": {"date": 1}, "eventData": {"retryAfter": 7, "resumeAt": 8}},
        ],
        "hook": {"createdAt": {"date": 4}},
        "wait": {"resumeAt": {"date": 5}},
        "cursor": "c",
    }


def test_dates_of_any_realm_become_times(js_eval: Any) -> None:
    code = """
    const resumeAt = require('node:vm').runInNewContext('new Date(1234)');
    await world.events.create('r', { eventType: 'wait_created', correlationId: 'w', eventData: { resumeAt } });
    await world.events.create(null, { eventType: 'step_retrying', eventData: { retryAfter: new Date(5), error: 'x' } },
        { resolveData: 'none', stateUpdatedAt: 0 });
    return calls;
    """
    assert run(js_eval, code) == [
        {
            "method": "events.create",
            "params": {
                "runId": "r",
                "event": {"eventType": "wait_created", "correlationId": "w", "eventData": {"resumeAt": 1234}},
            },
            "idempotent": False,
        },
        {
            "method": "events.create",
            "params": {
                "event": {"eventType": "step_retrying", "eventData": {"retryAfter": 5, "error": "x"}},
                "resolveData": "none",
            },
            "idempotent": False,
        },
    ]


def test_lists_are_flat_and_absent_fields_left_out(js_eval: Any) -> None:
    code = """
    const page = await world.runs.list({ workflowName: 'w', status: undefined, pagination: { limit: 5, cursor: '' } });
    await world.hooks.list();
    return { page, params: calls.map(({ params }) => params) };
    """
    empty = {"data": [], "cursor": None, "hasMore": False}
    result = run(js_eval, code, answers={"runs.list": empty, "hooks.list": empty})
    assert result == {"page": empty, "params": [{"workflowName": "w", "limit": 5, "cursor": ""}, {}]}


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("{ runId: 'r' }", {"runId": "r", "isWake": True}),
        ("{ runId: 'r', traceCarrier: {}, requestedAt: new Date(), x: undefined }", {"runId": "r", "isWake": True}),
        ("{ runId: 'r', serverErrorRetryCount: 1 }", {"runId": "r", "isWake": False}),
        ("{ runId: 'r', runInput: { deploymentId: 'd' } }", {"runId": "r", "isWake": False, "deploymentId": "d"}),
        ("{ workflowRunId: 'r', stepId: 's' }", {"runId": "r", "stepId": "s", "isWake": False}),
        ("{ __healthCheck: true, correlationId: 'c' }", {"isWake": False, "isHealthCheck": True}),
    ],
)
def test_the_envelope_says_what_the_worker_needs_to_know(js_eval: Any, message: str, expected: dict[str, Any]) -> None:
    (call,) = run(
        js_eval, f"await world.queue('q', {message}); return calls.map((c) => (delete c.params.body, c.params));"
    )
    assert call == {"queueName": "q", "isHealthCheck": False, **expected}


def test_a_message_arrives_as_it_was_sent(js_eval: Any) -> None:
    code = """
    const sent = { runId: 'r', requestedAt: new Date(1732000000123), runInput: { input: new Uint8Array([0, 255]) } };
    const headersSent = { a: 'b', c: undefined };
    await world.queue('__wkf_workflow_x', sent, { idempotencyKey: 'k', delaySeconds: 2, headers: headersSent });
    const { body, ...envelope } = calls[0].params;
    let got;
    const { createQueueHandler } = world;
    const handler = createQueueHandler('__wkf_workflow_', async (message, meta) => { got = { message, meta }; });
    const headers = { 'x-vqs-queue-name': '__wkf_workflow_x', 'x-vqs-message-id': 'm', 'x-vqs-message-attempt': '2' };
    const response = await handler(new Request('http://x/', { method: 'POST', headers, body }));
    return { envelope, equal: require('node:util').isDeepStrictEqual(got.message, sent), meta: got.meta,
        status: response.status, reply: await response.json() };
    """
    assert run(js_eval, code) == {
        "envelope": {
            "queueName": "__wkf_workflow_x",
            "runId": "r",
            "isWake": False,
            "isHealthCheck": False,
            "idempotencyKey": "k",
            "delaySeconds": 2,
            "headers": {"a": "b"},
        },
        "equal": True,
        "meta": {"attempt": 2, "queueName": "__wkf_workflow_x", "messageId": "m"},
        "status": 200,
        "reply": {"ok": True},
    }


@pytest.mark.parametrize(
    ("handler", "headers", "body", "status", "reply"),
    [
        ("async () => ({ timeoutSeconds: 0 })", {}, True, 200, '{"timeoutSeconds":0}'),
        ("async () => ({ timeoutSeconds: -1 })", {}, True, 200, '{"ok":true}'),
        ("async () => { throw new Error('no'); }", {}, True, 500, "Error: no"),
        ("async () => {}", {"x-vqs-queue-name": "other"}, True, 400, '{"error":"Unhandled queue"}'),
        ("async () => {}", {"x-vqs-message-id": ""}, True, 400, '{"error":"Missing required headers"}'),
        ("async () => {}", {"x-vqs-message-attempt": "0"}, True, 400, '{"error":"Missing required headers"}'),
        ("async () => {}", {}, False, 400, '{"error":"Missing request body"}'),
    ],
)
def test_the_queue_handler_answers_as_the_worker_expects(
    js_eval: Any, handler: str, headers: dict[str, str], body: bool, status: int, reply: str
) -> None:
    code = f"""
    const usual = {{ 'x-vqs-queue-name': 'p_x', 'x-vqs-message-id': 'm', 'x-vqs-message-attempt': '1' }};
    const body = input.body ? cbor.encode({{}}) : undefined;
    const request = new Request('http://x/', {{ method: 'POST', headers: {{ ...usual, ...input.headers }}, body }});
    const response = await createQueueHandler('p_', {handler})(request);
    return [response.status, await response.text()];
    """
    assert run(js_eval, code, headers=headers, body=body) == [status, reply]


def test_the_key_of_a_run_is_asked_for_once_and_not_shared(js_eval: Any) -> None:
    code = """
    answers['encryption.key'] = { key: new Uint8Array([1, 2]) };
    const [first, second] = await Promise.all([
      world.getEncryptionKeyForRun('r', { deploymentId: 'd' }), world.getEncryptionKeyForRun({ runId: 'r' }) ]);
    first[0] = 9;
    return [second[0], (await world.getEncryptionKeyForRun('r'))[0], calls.length];
    """
    assert run(js_eval, code) == [1, 1, 1]


def test_without_encryption_there_is_no_key(js_eval: Any) -> None:
    assert run(js_eval, "return (await world.getEncryptionKeyForRun('r')) === undefined;") is True


def test_a_key_that_could_not_be_had_is_asked_for_again(js_eval: Any) -> None:
    code = """
    let times = 0;
    const flaky = createWorld({ specVersion: 3, call: async () => {
      if (times++ === 0) throw errors.timeoutError('slow');
      return { key: new Uint8Array([7]) };
    } });
    const first = await flaky.getEncryptionKeyForRun('r').catch((error) => error.code);
    return [first, (await flaky.getEncryptionKeyForRun('r'))[0]];
    """
    assert run(js_eval, code) == ["TIMEOUT", 7]


def test_the_deployment_is_the_processs_own_or_the_active_one(js_eval: Any) -> None:
    code = """
    const own = createWorld({ call, specVersion: 3, deploymentId: 'own' });
    return [await own.getDeploymentId(), await own.resolveLatestDeploymentId(), await world.getDeploymentId()];
    """
    assert run(js_eval, code, answers={"deployments.current": {"deploymentId": "active"}}) == [
        "own",
        "active",
        "active",
    ]


def test_no_function_needs_its_object(js_eval: Any) -> None:
    code = """
    const offenders = [];
    const visit = (value) => {
      for (const inner of Object.values(value)) {
        if (typeof inner === 'function') { if (/\\bthis\\b/.test(inner.toString())) offenders.push(inner.name); }
        else if (inner && typeof inner === 'object') visit(inner);
      }
    };
    visit(world);
    return offenders;
    """
    assert run(js_eval, code) == []


def test_refusals_keep_their_name_and_fields(js_eval: Any) -> None:
    expression = """[
      errors.errorFromWire({ name: 'TooEarlyError', message: 'wait', retryAfter: 3 }),
      errors.errorFromWire('nonsense'),
      errors.errorFromResponse(409, { message: 'm', error: { name: 'EntityConflictError', message: 'there' } }),
      errors.errorFromResponse(401, { code: 'unauthorized', message: 'No key.', recovery: 'Set one.' }),
      errors.errorFromResponse(502, undefined),
      errors.errorFromResponse(200, '<html>'),
    ].map(({ name, message, status, code, retryAfter }) => ({ name, message, status, code, retryAfter }))"""
    conflict, nonsense, there, unauthorized, proxy, page = js_eval(expression)
    assert conflict == {"name": "TooEarlyError", "message": "wait", "retryAfter": 3}
    assert there == {"name": "EntityConflictError", "message": "there"}
    assert unauthorized == {"name": "WorkflowWorldError", "message": "No key. Set one.", "status": 401}
    for error in (nonsense, proxy, page):
        assert (error["name"], error["code"], "status" in error) == ("WorkflowWorldError", "TRANSPORT", False)


def created(js_eval: Any, code: str) -> Any:
    """Return the key and the priority of each run that some code creates."""
    create = "const create = (eventType = 'run_created') => world.events.create('r', { eventType, eventData: {} });"
    shown = "return calls.map(({ params }) => [params.concurrencyKey ?? null, params.priority ?? null]);"
    return run(js_eval, create + code + shown)


def test_a_run_gets_the_options_in_whose_course_it_is_created(js_eval: Any) -> None:
    code = """
    await create();
    await withRunOptions({ concurrencyKey: 'acme', priority: 5 }, async () => {
      await new Promise((resolve) => setImmediate(resolve));
      await create();
      await withRunOptions({ priority: -1 }, () => create());
      await create('run_cancelled');
    });
    await create();
    """
    assert created(js_eval, code) == [[None, None], ["acme", 5], ["acme", -1], [None, None], [None, None]]


def test_a_step_and_its_executor_share_options_though_each_has_the_module_for_itself(js_eval: Any) -> None:
    code = """
    delete require.cache[require.resolve(path + '/run-options.cjs')];
    const bundled = require(path + '/run-options.cjs');
    if (bundled.withRunOptions === withRunOptions) throw new Error('It is the same module.');
    await bundled.withRunOptions({ concurrencyKey: 'k' }, () => create());
    """
    assert created(js_eval, code) == [["k", None]]


@pytest.mark.parametrize(
    "options",
    ["concurrencyKey: ''", "concurrencyKey: 'x'.repeat(257)", "concurrencyKey: 7", "priority: 101", "priority: 0.5"],
)
def test_options_that_no_worker_takes_are_refused_before_anything_is_done(js_eval: Any, options: str) -> None:
    with pytest.raises(JavaScriptError, match="RangeError: Workflow Studio: withRunOptions: "):
        created(js_eval, f"await withRunOptions({{ {options} }}, () => create());")


def test_a_key_is_as_long_as_the_worker_counts_it(js_eval: Any) -> None:
    code = "await withRunOptions({ concurrencyKey: '\\u{1f600}'.repeat(256) }, () => create());"
    assert created(js_eval, code) == [["\U0001f600" * 256, None]]
