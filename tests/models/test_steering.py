"""Steering by a metric: what joins the losses, in which turn, and that the metric comes out nearer to truth."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import ks_2samp

from facsim.core.errors import FacsimError
from facsim.core.image import regular_image
from facsim.core.schema import Feature, Schema
from facsim.models.base import Batch, draw_noise
from facsim.models.checkpoint import build_model
from facsim.models.single_stage import SingleStage
from facsim.models.steering_metrics import METRICS, find_metric, metric_values
from facsim.physics.ecal_observables import steered

IMAGE = regular_image("toy", (0.0, 4.0, 4), (0.0, 5.0, 5), threshold=0.5)
IMAGES = Schema("grid", (Feature("energy", "MeV"),), (Feature("angle", "rad"),), IMAGE)
TABLES = Schema("table", (Feature("a"), Feature("b"), Feature("c")), (Feature("angle", "rad"),))
SHOWERS = Schema("grid", (Feature("energy", "MeV"),), tuple(Feature(n) for n in ("px", "py", "pz", "x", "y")), IMAGE)
JETS = Schema("cloud", (Feature("etarel"), Feature("phirel", "rad"), Feature("ptrel")), points=4)
N = 24
METHODS: dict[str, dict[str, Any]] = {
    "gan": {"critic": {"width": 8}},
    "vae": {"latent": 3},
    "flow-matching": {"steps": 2},
    "distilled": {},
    "diffusion": {"steps": 2},
    "flow": {"layers": 2},
}


def _batch(schema: Schema, n: int = N, seed: int = 0) -> Batch:
    rng = torch.Generator().manual_seed(seed)
    cond = torch.rand(n, 1, generator=rng)
    if schema is TABLES:
        return Batch(torch.randn(n, 3, generator=rng) + cond, cond)
    x = torch.rand(n, 20, 1, generator=rng)
    return Batch(torch.where(x < 0.5, 0.0, 0.5 + 5 * x * (1 + cond[..., None])), cond)


def _model(schema: Schema, method: str, metric: str, how: str, **options: Any) -> SingleStage:
    torch.manual_seed(0)
    network = {"network": {"name": "mlp", "widths": [16]}} if method != "flow" else {}
    chosen = {"name": method, **network, **METHODS[method], **options}
    steer = {"metric": metric, "how": how, "weight": 3.0}
    return build_model("single-stage", schema, {"method": chosen, "steer": steer})


def _begun(model: SingleStage, batch: Batch) -> SingleStage:
    for phase in model.phases:
        model.begin_phase(phase, batch, torch.Generator().manual_seed(1))
    return model


@pytest.mark.parametrize("how", ["loss", "regressor"])
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("schema", [TABLES, IMAGES], ids=["table", "image"])
def test_every_method_is_steered_and_every_parameter_reached(schema: Schema, method: str, how: str) -> None:
    metric = "differences" if schema is TABLES else "moments"
    batch = _batch(schema)
    model = _begun(_model(schema, method, metric, how), batch)
    names, trained, reached = {id(p): n for n, p in model.named_parameters()}, set(), set()
    seen: dict[str, set[str]] = {}
    for phase in model.phases:
        for step in range(3):
            for turn in model.turns(phase):
                losses = model.losses(batch, turn, torch.Generator().manual_seed(step))
                assert all(torch.isfinite(loss) and loss.ndim == 0 for loss in losses.values())
                seen.setdefault(turn, set()).update(losses)
                parameters = model.parameters_of(turn)
                optimiser = torch.optim.Adam(parameters, 1e-3)
                optimiser.zero_grad()
                torch.stack(list(losses.values())).sum().backward(inputs=parameters)
                reached |= {id(p) for p in parameters if p.grad is not None and bool(p.grad.any())}
                optimiser.step()
                trained |= {id(p) for p in parameters}
    assert {names[p] for p in trained - reached} == set()
    assert {names[p] for p in names.keys() - trained} == set()
    joined = {turn for turn, losses in seen.items() if "steering" in losses}
    last = model.method.turns(model.phases[-1])[-1]
    critic = method == "gan" and how == "regressor"
    assert joined == (set() if critic else {last})
    assert ("regressor" in seen) == (how == "regressor")


def test_the_critic_sees_what_the_regressor_finds() -> None:
    batch = _batch(IMAGES)
    model = _begun(_model(IMAGES, "gan", "lit", "regressor"), batch)
    rng = torch.Generator()
    first = model.losses(batch, "critic", rng.manual_seed(1))["critic"].detach()
    assert model.steering is not None
    with torch.no_grad():
        for parameter in model.steering.trained:
            parameter.add_(0.5)
    assert float(model.losses(batch, "critic", rng.manual_seed(1))["critic"].detach()) != pytest.approx(
        float(first), abs=1e-6
    )


def test_the_loss_is_the_energy_score_of_the_metric_times_its_weight() -> None:
    """Generated events that are the true ones score 0; of a constant metric too."""
    batch = _batch(TABLES)
    model = _begun(_model(TABLES, "flow-matching", "columns", "loss"), batch)
    steering = model.steering
    assert steering is not None
    latents = model._latents(batch, None, symmetric=False)
    steering._parts[0].draw = lambda given, generator: given.x  # type: ignore[method-assign]
    (loss,) = steering.losses(batch, latents, None).values()
    assert float(loss) == pytest.approx(0.0, abs=1e-3)
    steering._parts[0].draw = lambda given, generator: given.x[:1].expand_as(given.x)  # type: ignore[method-assign]
    (loss,) = steering.losses(batch, latents, None).values()
    values = (batch.x - batch.x.mean(0)) / batch.x.std(0, correction=0)
    expected = 3.0 * 2 * float((values - values[:1]).norm(dim=1).mean())
    assert float(loss) == pytest.approx(expected, rel=2e-2)


def test_moments_are_those_of_numpy() -> None:
    batch = _batch(IMAGES)
    found = metric_values(*find_metric("moments", IMAGES)[:1], batch.x, batch.cond, IMAGES).numpy()
    rows, columns = IMAGE.centres
    for image, numbers in zip(batch.x[..., 0].numpy().reshape(-1, 4, 5), found, strict=True):
        r, c, w = np.repeat(rows, 5), np.tile(columns, 4), image.ravel()
        covariance = np.cov(np.stack([r, c]), aweights=w, ddof=0)
        means = [np.average(r, weights=w), np.average(c, weights=w)]
        np.testing.assert_allclose(
            numbers, [*means, covariance[0, 0], covariance[1, 1], covariance[0, 1]], rtol=1e-3, atol=1e-3
        )


def test_metrics_of_showers_are_those_of_the_physics_and_have_gradients() -> None:
    rng = torch.Generator().manual_seed(0)
    cond = torch.rand(6, 5, generator=rng) + 0.1
    x = torch.rand(6, 20, 1, generator=rng).requires_grad_(True)
    both = [metric_values(METRICS[name], x, cond, SHOWERS) for name in ("ecal-asymmetry", "ecal-widths")]
    np.testing.assert_allclose(
        torch.cat(both, 1).detach().numpy(), steered(x.detach()[..., 0].numpy(), cond.numpy(), SHOWERS), rtol=1e-4
    )
    (slope,) = torch.autograd.grad(both[0].sum(), x)
    assert bool(slope.any())
    assert find_metric("ecal-widths", SHOWERS)[1] == ("longitudinal width", "transverse width")
    with pytest.raises(FacsimError, match="'ecal-asymmetry' is not of such events"):
        find_metric("ecal-asymmetry", IMAGES)


@pytest.mark.parametrize("name", METRICS)
def test_metrics_are_finite_of_empty_events_and_named(name: str) -> None:
    for schema, shape in ((IMAGES, (3, 20, 1)), (SHOWERS, (3, 20, 1)), (TABLES, (3, 3)), (JETS, (3, 4, 3))):
        metric = METRICS[name]
        if names := metric.names(schema):
            values = metric_values(metric, torch.zeros(shape), torch.ones(3, 5), schema)
            assert values.shape == (3, len(names))
            assert torch.isfinite(values).all()


def test_jets_are_steered_by_the_points_that_are_there() -> None:
    """What the latents of absent points would be decoded to does not enter."""
    rng = torch.Generator().manual_seed(3)
    mask = torch.arange(4) < torch.tensor([1, 2, 3, 4] * 6)[:, None]
    x = torch.rand(N, 4, 3, generator=rng) * torch.tensor([0.2, 0.2, 1.0]) * mask[..., None]
    network = {"network": {"name": "epic", "width": 8, "depth": 1}}
    chosen = {"method": {"name": "vae", "latent": 2, **network}, "steer": {"metric": "jets"}, "transform": "standard"}
    torch.manual_seed(0)
    model = build_model("single-stage", JETS, chosen)
    batch = Batch(x, torch.zeros(N, 0), mask=mask)
    model.begin_phase("autoencoder", batch, torch.Generator().manual_seed(1))
    assert model.steering is not None
    latents = model.transform.encode(x, None)
    values = model.steering._values(latents, batch) * model.steering.std + model.steering.mean
    alone = x[::4, 0]  # of one particle
    torch.testing.assert_close(values[::4, 0], alone[:, 2], rtol=1e-4, atol=1e-5)
    assert values[::4, 1].abs().max() < 1e-3
    assert torch.isfinite(model.losses(batch, "autoencoder", rng)["steering"])


def test_what_cannot_steer_is_refused_in_one_sentence() -> None:
    with pytest.raises(FacsimError, match=r"unknown metric to steer by 'momnts'.*did you mean 'moments'"):
        _model(IMAGES, "gan", "momnts", "loss")
    with pytest.raises(FacsimError, match=r"'moments' is not of such events \(table\): choose one of"):
        _model(TABLES, "gan", "moments", "loss")
    with pytest.raises(FacsimError, match=r"'lit' has no gradient: steer with 'how: regressor'\."):
        _model(IMAGES, "gan", "lit", "loss")
    cylinder = {
        "method": {"name": "vq", "network": {"name": "mlp"}, "codes": 1, "size": 4},
        "steer": {"metric": "total"},
    }
    with pytest.raises(FacsimError, match=r"no gradient to steer by: choose another method\."):
        build_model("single-stage", IMAGES, cylinder)


@pytest.mark.parametrize("how", ["loss", "regressor"])
def test_the_metric_comes_out_nearer_to_truth(how: str) -> None:
    """A table whose difference is narrow while its features are wide: a small VAE misses it unless it is steered."""
    rng = torch.Generator().manual_seed(0)
    common = torch.randn(2000, 1, generator=rng)
    x = common + 0.1 * torch.randn(2000, 3, generator=rng)
    batch = Batch(x, torch.rand(2000, 1, generator=rng))
    distance = {}
    for weight in (1e-6, 10.0):
        torch.manual_seed(0)
        options = {
            "transform": "standard",
            "method": {
                "name": "vae",
                "latent": 2,
                "network": {"name": "mlp", "widths": [32]},
                "encoder": {"width": 16},
            },
            "steer": {"metric": "differences", "how": how, "weight": weight},
        }
        model = _begun(build_model("single-stage", TABLES, options), batch)
        optimisers = {t: torch.optim.Adam(model.parameters_of(t), 5e-3) for t in model.turns("autoencoder")}
        for _ in range(150):
            rows = torch.randint(2000, (256,), generator=rng)
            for turn, optimiser in optimisers.items():
                losses = model.losses(Batch(x[rows], batch.cond[rows]), turn, rng)
                optimiser.zero_grad()
                torch.stack(list(losses.values())).sum().backward(inputs=model.parameters_of(turn))
                optimiser.step()
        noise = draw_noise(model.noise_spec(2000), torch.Generator().manual_seed(9))
        with torch.no_grad():
            drawn = model.eval().sample(batch.cond, noise)
        distance[weight] = ks_2samp((x[:, 0] - x[:, 1]).numpy(), (drawn[:, 0] - drawn[:, 1]).numpy()).statistic
    assert distance[10.0] < 0.5 * distance[1e-6], distance
