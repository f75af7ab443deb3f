"""Schedules: PyTorch's numbers, the ends, and the errors."""

import pytest

from xnn.schedules import Cosine, ExponentialDecay, InverseTime, OneCycle, StepDecay, WarmUp


def torch_path(scheduler, steps, lr=0.1, **settings):
    """The step sizes of PyTorch's scheduler of this name before each of so many updates."""
    torch = pytest.importorskip("torch")
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=lr)
    schedule = getattr(torch.optim.lr_scheduler, scheduler)(optimizer, **settings)
    path = []
    for _ in range(steps):
        path.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return path


@pytest.mark.parametrize(
    ("schedule", "scheduler", "steps", "settings"),
    [
        (StepDecay(0.1, every=7), "StepLR", 50, {"step_size": 7}),
        (StepDecay(0.1, every=1, factor=0.9), "StepLR", 50, {"step_size": 1, "gamma": 0.9}),
        (ExponentialDecay(0.1, gamma=0.93), "ExponentialLR", 50, {"gamma": 0.93}),
        (Cosine(0.1, steps=49), "CosineAnnealingLR", 50, {"T_max": 49}),
        (Cosine(0.1, steps=30, minimum=0.02), "CosineAnnealingLR", 31, {"T_max": 30, "eta_min": 0.02}),
        (WarmUp(20, after=0.1, start=0.025), "LinearLR", 50, {"start_factor": 0.25, "total_iters": 20}),
        *(
            (
                OneCycle(0.3, 40, **settings),
                "OneCycleLR",
                40,
                {"max_lr": 0.3, "total_steps": 40, "cycle_momentum": False, **settings},
            )
            for settings in (
                {},
                {"pct_start": 0.45, "anneal_strategy": "linear"},
                {"div_factor": 10.0, "final_div_factor": 100.0},
                {"three_phase": True},
                {"three_phase": True, "anneal_strategy": "linear", "pct_start": 0.2},
                {"pct_start": 0.0},
                {"pct_start": 0.9},
            )
        ),
    ],
    ids=repr,
)
def test_schedules_equal_those_of_torch(schedule, scheduler, steps, settings):
    expected = torch_path(scheduler, steps, **settings)
    path = [schedule(t) for t in range(steps)]
    assert path == pytest.approx(expected, rel=1e-12, abs=1e-15)
    assert len(set(path)) > 2
    assert all(type(η) is float for η in path)


def test_inverse_time():
    schedule = InverseTime(5.0, 50.0)
    assert [schedule(t) for t in (0, 50, 450)] == pytest.approx([0.1, 0.05, 0.01], rel=1e-15)


def test_warm_up_hands_over_to_a_schedule_that_then_begins():
    after = ExponentialDecay(0.8, gamma=0.5)
    path = [WarmUp(4, after)(t) for t in range(7)]
    assert path == pytest.approx([0.0, 0.2, 0.4, 0.6, 0.8, 0.4, 0.2], rel=1e-15)
    assert [WarmUp(0, after)(t) for t in range(2)] == [0.8, 0.4]
    assert WarmUp(2, 0.5)(1000) == 0.5


@pytest.mark.parametrize(
    ("schedule", "last"),
    [
        (Cosine(0.1, 10), 0.0),
        (Cosine(0.1, 10, 0.01), 0.01),
        (OneCycle(1.0, 10), 1 / 25e4),
        (OneCycle(1.0, 1), 1 / 25e4),
    ],
    ids=repr,
)
def test_the_last_step_size_stays(schedule, last):
    assert [schedule(t) for t in (10, 11, 1000)] == pytest.approx([last] * 3, abs=1e-15)


def test_the_top_of_one_cycle_may_be_its_first_step():
    assert OneCycle(1.0, 10, pct_start=0.1)(0) == 1.0


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: StepDecay(0.0, 5), ValueError, r"StepDecay: lr must lie in \(0, inf\), got 0.0"),
        (lambda: StepDecay(0.1, 0), ValueError, "StepDecay: every must be at least 1"),
        (lambda: StepDecay(0.1, 1.5), TypeError, "StepDecay: every must be a whole number"),
        (lambda: ExponentialDecay(0.1, 1.1), ValueError, "ExponentialDecay: gamma"),
        (lambda: Cosine(0.1, 0), ValueError, "Cosine: steps must be at least 1"),
        (lambda: Cosine(0.1, 5, -1), ValueError, "Cosine: minimum"),
        (lambda: InverseTime(1.0, 0.0), ValueError, "InverseTime: t1"),
        (lambda: OneCycle(0.1, 10, pct_start=2), ValueError, "OneCycle: pct_start"),
        (lambda: OneCycle(0.1, 10, anneal_strategy="cosine"), ValueError, "'cos' or 'linear', got 'cosine'"),
        (lambda: WarmUp(5, -0.1), ValueError, "WarmUp: after"),
        (lambda: WarmUp(-1, 0.1), ValueError, "WarmUp: steps must be at least 0"),
        (lambda: WarmUp(5, "fast"), TypeError, "WarmUp: after"),
    ],
)
def test_wrong_settings_raise(make, error, message):
    with pytest.raises(error, match=message):
        make()
