"""The loss and the learning rate: right answers, partial labels, and what nobody labelled."""

import pytest
import torch
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel

from MSKSegmentLib.training.checkpoints import warming_average
from MSKSegmentLib.training.losses import marginal_log_probability, segmentation_loss
from MSKSegmentLib.training.schedules import Course, scheduled


def random_logits(classes=23, seed=1):
    return 2 * torch.randn(2, classes, 8, 12, generator=torch.Generator().manual_seed(seed))


def everything():
    return torch.ones(2, 23, dtype=torch.bool)


def random_classes(seed=2):
    return torch.randint(0, 23, (2, 8, 12), generator=torch.Generator().manual_seed(seed))


def test_loss_is_small_for_right_and_large_for_wrong_answers():
    classes = random_classes()
    right = 20.0 * functional.one_hot(classes, 23).permute(0, 3, 1, 2)
    assert segmentation_loss(right, classes, 0.5) < 0.01
    assert segmentation_loss(-right, classes, 0.5) > 2
    assert torch.isfinite(segmentation_loss(right, torch.zeros_like(classes), 0.5))


def test_cross_entropy_and_dice_are_those_of_their_definitions():
    logits, classes = random_logits(), random_classes() % 4
    probability = logits.softmax(dim=1)
    dice = []
    for structure in (1, 2, 3):
        truth = (classes == structure).float()
        overlap = (probability[:, structure] * truth).sum()
        dice.append((2 * overlap + 1) / (probability[:, structure].sum() + truth.sum() + 1))
    expected = functional.cross_entropy(logits, classes) + 0.5 * (1 - sum(dice) / 3)
    torch.testing.assert_close(segmentation_loss(logits, classes, 0.5), expected)
    torch.testing.assert_close(segmentation_loss(logits, classes, 0.5, everything()), expected)
    torch.testing.assert_close(segmentation_loss(logits, classes, 0.0), functional.cross_entropy(logits, classes))


def test_a_patch_loses_what_its_slices_lose():
    generator = torch.Generator().manual_seed(4)
    logits, classes = torch.randn(3, 4, 5, 6, generator=generator), torch.randint(-1, 4, (3, 5, 6), generator=generator)
    known = torch.tensor([[True, True, False, True]])
    patch = logits.transpose(0, 1)[None], classes[None]
    for told in (None, known):
        slices = segmentation_loss(logits, classes, 0.5, None if told is None else told.expand(3, -1), 0.7)
        torch.testing.assert_close(segmentation_loss(*patch, 0.5, told, 0.7), slices)
    alone = segmentation_loss(logits, classes, 1.0, cross_entropy_weight=0.0)
    both, entropy = segmentation_loss(logits, classes, 1.0), segmentation_loss(logits, classes, 0.0)
    torch.testing.assert_close(alone, both - entropy)


def test_an_open_pixel_is_right_with_either_class():
    choices = torch.zeros(2, 23, dtype=torch.bool)
    choices[0, [5, 6]] = choices[1, [0, 9]] = True
    logits, classes = random_logits(), random_classes()
    settled = segmentation_loss(logits, classes, 0.5)
    torch.testing.assert_close(segmentation_loss(logits, classes, 0.5, choices=choices), settled)
    is_open = classes < 12
    opened = torch.where(is_open, 23 + classes % 2, classes)
    probability = logits.softmax(dim=1).movedim(1, -1)
    allowed = torch.where((opened == 23)[..., None], choices[0], choices[1])
    expected = (
        -torch.where(is_open, (probability * allowed).sum(dim=-1), probability.gather(-1, classes[..., None])[..., 0]).log().mean()
    )
    torch.testing.assert_close(segmentation_loss(logits, opened, 0.0, choices=choices), expected)
    # Dice counts the settled pixels alone.
    both = segmentation_loss(logits, opened, 0.5, choices=choices)
    dice = segmentation_loss(logits, classes.masked_fill(is_open, -1), 0.5, cross_entropy_weight=0.0)
    torch.testing.assert_close(both, expected + dice)
    for preferred in (5, 6):
        sure = torch.full((1, 23, 2, 2), -20.0)
        sure[:, preferred] = 20.0
        assert segmentation_loss(sure, torch.full((1, 2, 2), 23), 0.0, choices=choices) < 1e-4
        assert segmentation_loss(sure, torch.full((1, 2, 2), 24), 0.0, choices=choices) > 30


def test_an_open_pixel_has_a_gradient_towards_its_classes_alone():
    choices = torch.zeros(1, 23, dtype=torch.bool)
    choices[0, [5, 6]] = True
    logits = random_logits().requires_grad_()
    segmentation_loss(logits, torch.full((2, 8, 12), 23), 0.5, choices=choices).backward()
    downhill = -logits.grad
    assert bool((downhill[:, [5, 6]] >= 0).all()) and bool((downhill[:, :5] <= 0).all()) and bool((downhill[:, 7:] <= 0).all())


@pytest.mark.parametrize("dice_weight", [0.0, 0.5])
def test_pixels_that_nobody_labelled_have_no_gradient(dice_weight):
    logits, classes = random_logits().requires_grad_(), random_classes()
    classes[:, :3] = -1
    segmentation_loss(logits, classes, dice_weight).backward()
    gradient = logits.grad.abs().sum(dim=1)
    assert not gradient[:, :3].any() and (gradient[:, 3:] > 0).all()


def test_a_batch_without_any_label_changes_nothing():
    logits = random_logits().requires_grad_()
    loss = segmentation_loss(logits, torch.full((2, 8, 12), -1), 0.5, everything())
    loss.backward()
    assert loss == 0 and not logits.grad.any()


def test_marginal_probability_adds_what_is_unknown_to_the_background():
    logits, known = random_logits(), everything()
    known[0, [4, 9]] = False
    probability = logits.softmax(dim=1)
    found = marginal_log_probability(logits, known).exp()
    torch.testing.assert_close(found[1], probability[1])
    torch.testing.assert_close(found[0, 0], probability[0, [0, 4, 9]].sum(dim=0))
    assert not found[0, [4, 9]].any()
    torch.testing.assert_close(found.sum(dim=1), torch.ones(2, 8, 12))


@pytest.mark.parametrize("dice_weight", [0.0, 0.5])
def test_an_unknown_structure_is_not_pushed_to_background(dice_weight):
    """The truth says background where the network sees structure 5, which nobody drew there."""
    logits = torch.zeros(2, 23, 8, 12)
    logits[:, 5] = 3
    classes = torch.zeros(2, 8, 12, dtype=torch.int64)
    gradients = {}
    for drawn in (True, False):
        known = everything()
        known[:, 5] = drawn
        leaf = logits.clone().requires_grad_()
        segmentation_loss(leaf, classes, dice_weight, known).backward()
        gradients[drawn] = leaf.grad
    # Descent lowers a logit whose gradient is positive.
    assert (gradients[True][:, 5] > 0).all()
    assert (gradients[False][:, 5] <= 0).all() and torch.isfinite(gradients[False]).all()
    assert (gradients[False][:, 6] > 0).all()


def test_an_unknown_structure_leaves_the_dice_mean():
    logits, classes = random_logits(), torch.zeros(2, 8, 12, dtype=torch.int64)
    classes[:, :4] = 5
    known = everything()
    # Slice 1 has structure 5 as background: its share of the Dice comes from slice 0 alone.
    known[1, 5], classes[1] = False, 0
    probability = logits[0].softmax(dim=0)[5]
    truth = (classes[0] == 5).float()
    dice = (2 * (probability * truth).sum() + 1) / (probability.sum() + truth.sum() + 1)
    with_dice, without = (segmentation_loss(logits, classes, weight, known) for weight in (1.0, 0.0))
    torch.testing.assert_close(with_dice - without, 1 - dice)


def test_one_cycle_is_the_published_one():
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.Adam([parameter], lr=0.01)
    steps = 1001
    reference = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.01, total_steps=steps, pct_start=0.08, final_div_factor=100)
    for step in range(steps):
        own = scheduled("one-cycle", 0.01, step / (steps - 1))
        # torch ends the rise one step of 1001 earlier.
        assert own.learning_rate == pytest.approx(optimizer.param_groups[0]["lr"], abs=0.0003), step
        assert own.momentum == pytest.approx(optimizer.param_groups[0]["betas"][0], abs=0.003), step
        optimizer.step()
        if step < steps - 1:
            reference.step()
    assert scheduled("one-cycle", 0.01, 1.0).learning_rate == pytest.approx(0.01 / 2500)
    assert scheduled("constant", 0.01, 0.7).learning_rate == 0.01


def test_a_time_limit_takes_the_schedule_along():
    now = [0.0]
    course = Course(100, 0.5, 1000, minutes=2, clock=lambda: now[0])
    assert course.timed and course.progress(100) == 0.5
    now[0] = 60.0
    assert course.progress(107) == pytest.approx(0.75) and course.remaining(107) == 60
    now[0] = 121.0
    assert course.progress(110) == 1.0
    counted = Course(100, 0.1, 1000, None, clock=lambda: now[0])
    assert counted.progress(550) == pytest.approx(0.55) and counted.progress(1000) == 1.0
    assert Course(10, 0.1, 10, None).progress(10) == 1.0


def test_the_averaged_weights_soon_forget_where_training_began():
    network = torch.nn.Linear(3, 2)
    torch.nn.init.zeros_(network.weight)
    averaged = AveragedModel(network, multi_avg_fn=warming_average(0.998), use_buffers=True)
    averaged.update_parameters(network)
    torch.nn.init.ones_(network.weight)
    for _ in range(40):
        averaged.update_parameters(network)
    assert float(averaged.module.weight.detach().min()) > 0.99
    # Later the average is as slow as asked for.
    averaged.n_averaged.fill_(100_000)
    torch.nn.init.zeros_(network.weight)
    averaged.update_parameters(network)
    assert float(averaged.module.weight.detach().mean()) == pytest.approx(0.998, abs=1e-3)
