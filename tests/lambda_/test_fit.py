"""Fits on the emulated Lambda that nothing disturbs: right, cleaned up, and what they cost."""

import datetime
import ipaddress
import json

import numpy as np
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from sklearn.exceptions import ConvergenceWarning

from sklearn_cirrus import CirrusLogisticRegression
from sklearn_cirrus.prices import price
from sklearn_cirrus.workers import aws_lambda_function

from ..faults.conftest import held_out_loss, labelled
from .conftest import MEMORY, PARAMETERS, TcpServer, assert_nothing_left, deploy

pytestmark = pytest.mark.filterwarnings("ignore:Maximum number of iterations")


def test_the_result_and_its_price(fit, emulator, s3, undisturbed, worker_bundle):
    seen = len(emulator.invocations())
    s3.counts.clear()
    model = fit()
    assert held_out_loss(model) == pytest.approx(undisturbed, rel=0.01)
    assert {entry["rows"] for entry in model.history_} == {6000}
    assert model.history_[-1]["workers"] > 1
    runs = emulator.invocations()[seen:]
    assert {run.outcome for run in runs} == {"ok"} and len(runs) == 8
    # By hand, from what the services themselves have counted.
    second = price("us-east-1", f"lambda.gb_second.{worker_bundle.target.architecture}").dollars
    expected = sum(run.billed_ms for run in runs) / 1000 * MEMORY / 1024 * second
    expected += len(runs) * price("us-east-1", "lambda.request").dollars
    expected += (s3.counts["PUT"] + s3.counts["LIST"]) * price("us-east-1", "s3.put").dollars
    expected += (s3.counts["GET"] + s3.counts["HEAD"]) * price("us-east-1", "s3.get").dollars
    assert model.cost_ == pytest.approx(expected, rel=1e-9)


def test_lbfgs_is_that_of_one_process(fit):
    parameters = {
        "solver": "lbfgs",
        "max_iter": 50,
        "tol": 1e-8,
        "batch_size": "auto",
        "learning_rate": "auto",
    }
    model = fit(parameters)
    X, y = labelled()
    exact = CirrusLogisticRegression(**PARAMETERS | parameters, backend="inline").fit(X, y)
    np.testing.assert_allclose(model.coef_, exact.coef_, rtol=1e-6)
    assert model.cost_ > 0 and exact.cost_ == 0.0


def certificate(folder):
    """Write a key and a certificate of 127.0.0.1; return their paths."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a test")])
    now = datetime.datetime.now(datetime.UTC)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    paths = folder / "server.key", folder / "server.crt"
    paths[0].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    paths[1].write_bytes(built.public_bytes(serialization.Encoding.PEM))
    return paths


def test_over_tls_with_the_client_s_file_of_certificates(fit, emulator, tmp_path, undisturbed):
    key, crt = certificate(tmp_path)
    options = f"tls-cert-file {crt}", f"tls-key-file {key}", "tls-auth-clients no"
    server = TcpServer.tls(tmp_path, *options, certificate=crt)
    try:
        # The workers do not have that file: it travels with the job.
        model = fit(redis_url=server.url, max_cost=1.0)
        assert held_out_loss(model) == pytest.approx(undisturbed, rel=0.01)
        assert_nothing_left(emulator, server)
    finally:
        server.stop()


def test_workers_stop_before_their_time_is_up(fit, emulator, worker_bundle, monkeypatch, caplog):
    monkeypatch.setattr(aws_lambda_function, "_LEAST_TIMEOUT", 4)
    deploy(emulator, "brief", worker_bundle, Timeout=4)  # one second is left for work
    caplog.set_level("WARNING", "sklearn_cirrus")
    model = fit({"max_iter": 30, "batch_size": 10}, function="brief", n_workers=2)
    assert sum(entry["workers_replaced"] for entry in model.history_) >= 2
    runs = emulator.invocations("brief")
    assert len(runs) >= 4 and {run.outcome for run in runs} == {"ok"}
    assert not caplog.records  # none of it is worth a warning
    assert {entry["rows"] for entry in model.history_} == {6000}


@pytest.mark.parametrize("solver", ["adagrad", "lbfgs"])
def test_a_budget_that_is_spent_leaves_a_model(fit, solver):
    more = {"batch_size": "auto", "tol": None, "learning_rate": "auto"} if solver == "lbfgs" else {}
    whole = 2.5e-4 if solver == "adagrad" else 1.5e-4  # the blocks alone take 1.3e-4
    with pytest.warns(ConvergenceWarning, match=r"budget was spent \(max_cost\), after \d+ whole"):
        model = fit({"solver": solver, "max_iter": 2000} | more, max_cost=whole, n_workers=4)
    assert model.n_iter_ == len(model.history_) < 2000
    assert whole <= model.cost_ < 3 * whole
    X, y = labelled()
    if model.n_iter_:
        assert model.score(X, y) > 0.7  # a constant has 0.5
    assert model.coef_.shape == (1, 20) and np.isfinite(model.coef_).all()


def test_the_event_is_small_and_holds_no_secret(fit, monkeypatch):
    events = []
    invoke = aws_lambda_function.LambdaFunction.invoke

    def note(function, event):
        events.append(event)
        return invoke(function, event)

    monkeypatch.setattr(aws_lambda_function.LambdaFunction, "invoke", note)
    fit({"max_iter": 1})
    assert max(map(len, events)) < 300
    assert {frozenset(json.loads(event)) for event in events} == {
        frozenset({"store_url", "job", "place", "generation", "runtime"})
    }
    assert sorted(json.loads(event)["place"] for event in events) == list(range(8))


def test_ctrl_c_stops_the_fleet(fit, emulator):
    def press(self, *args):
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        from sklearn_cirrus import _trainer

        patch.setattr(_trainer.Run, "_entry", press)
        with pytest.raises(KeyboardInterrupt):
            fit()
    assert [slot for slot in emulator.slots() if slot.state == "busy"] == []


def test_one_block_is_one_worker_and_the_same_bits_each_time(fit, emulator):
    X, y = labelled()
    seen = len(emulator.invocations())
    first, second = (fit({"max_iter": 5}, (X[:200], y[:200])) for _ in range(2))
    assert np.array_equal(first.coef_, second.coef_)
    assert len(emulator.invocations()) == seen + 2
    assert first.n_iter_ == 5 and 0 < first.cost_ < 1e-3
