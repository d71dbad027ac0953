"""Recipes of trainings: the shipped ones are complete, wrong ones name what is wrong."""

import pytest

from sre_autopilot.errors import InvalidValue, UnknownField, UnknownName
from sre_autopilot.training.recipe import SHIPPED, TERMINAL_ONLY, Recipe, recipe_text
from sre_autopilot.world.vocabulary import Tier

SHIPPED_TEXT = recipe_text(SHIPPED)


def with_line(line):
    """The shipped recipe with another value of one field."""
    name = line.split(" ")[0]
    lines = [each for each in SHIPPED_TEXT.splitlines() if not each.startswith(f"{name} ")]
    return "\n".join([line, *lines])


def test_shipped_recipe_teaches_every_tier_with_all_help():
    recipe = Recipe.parse(SHIPPED_TEXT)
    assert recipe.tiers.keys() == {*Tier}
    assert recipe.shaping
    assert recipe.privileged_critic
    assert recipe.fault_loss > 0
    assert recipe.no_rollback_share > 0


def test_terminal_only_sees_nothing_of_the_truth():
    recipe = Recipe.parse(recipe_text(TERMINAL_ONLY))
    assert not recipe.shaping
    assert not recipe.privileged_critic
    assert recipe.fault_loss == 0


def test_samples_can_be_replaced_and_make_whole_updates():
    assert Recipe.parse(SHIPPED_TEXT, samples=1).updates == 1
    recipe = Recipe.parse(SHIPPED_TEXT, samples=1_000_000)
    assert recipe.updates == 1_000_000 // (recipe.lanes * recipe.horizon)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("samples = 0", "samples must be a whole number from 1"),
        ("lanes = 1.5", "lanes must be a whole number"),
        ("gae_lambda = 2", "gae_lambda must be a number from 0 to 1"),
        ("first_wait_share = 1", "first_wait_share must be a number above 0 and below 1"),
        ("fault_loss = nan", "fault_loss must be a number from 0"),
        ("shaping = 1", "shaping must be true or false"),
        ("learning_rate = 1e-3", "learning_rate must be two numbers"),
        ("hidden = [128]", "hidden must be two whole numbers from 1"),
        ("memory = 0", "memory must be a whole number from 1"),
        ("cpu_scales = []", "cpu_scales must be some numbers above 0"),
        ("cpu_scales = [1.0, 0.0]", "cpu_scales must be some numbers above 0"),
        ("cpu_scales = [1.0, 0.8, 1.0]", "cpu_scales must be some numbers above 0, each once"),
        ("minibatch = 31", "minibatch must be at least the horizon, 32"),
        ("samples = ", "recipe must be TOML"),
    ],
)
def test_a_wrong_value_names_the_field_and_the_valid_ones(line, expected):
    with pytest.raises(InvalidValue, match=expected):
        Recipe.parse(with_line(line))


def test_an_unknown_field_lists_the_valid_ones():
    with pytest.raises(UnknownField, match=r"speed.*valid values: clip"):
        Recipe.parse(with_line("speed = 3"))


def test_a_missing_field_is_named():
    with pytest.raises(InvalidValue, match="without epochs"):
        Recipe.parse("\n".join(x for x in SHIPPED_TEXT.splitlines() if not x.startswith("epochs")))


@pytest.mark.parametrize(
    ("head", "table", "name", "valid"),
    [
        (SHIPPED_TEXT.partition("[tiers]")[0], "tiers", "easy", r"tiers.*easy"),
        (SHIPPED_TEXT.partition("[worlds]")[0], "worlds", "docker", r"worlds.*docker, process"),
    ],
)
def test_shares_are_checked(head, table, name, valid):
    with pytest.raises(UnknownName, match=valid):
        Recipe.parse(f"{head}[{table}]\nbrutal = 1.0")
    for wrong in ("-1.0", '"half"'):
        with pytest.raises(InvalidValue, match=rf"{table}\.{name} must be a share"):
            Recipe.parse(f"{head}[{table}]\n{name} = {wrong}")
    with pytest.raises(InvalidValue, match=f"{table} must be"):
        Recipe.parse(f"{head}[{table}]\n{name} = 0.0")


def test_processes_are_the_default_world_and_the_shipped_recipe_mixes_two():
    assert Recipe.parse(SHIPPED_TEXT.partition("[worlds]")[0]).worlds == {"process": 1.0}
    assert set(Recipe.parse(SHIPPED_TEXT).worlds) == {"process", "docker"}


def test_the_shipped_recipe_mixes_hosts_around_the_one_that_was_fitted():
    scales = Recipe.parse(SHIPPED_TEXT).cpu_scales
    assert min(scales) < 1.0 < max(scales)
    assert 1.0 in scales


def test_a_recipe_may_be_a_file_and_an_unknown_one_lists_the_shipped(tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text(SHIPPED_TEXT)
    assert recipe_text(str(file)) == SHIPPED_TEXT
    with pytest.raises(UnknownName, match=f"{SHIPPED}, {TERMINAL_ONLY}, a file"):
        recipe_text("fastest")


def test_lists_of_toml_become_tuples_so_that_a_recipe_never_changes():
    recipe = Recipe.parse(SHIPPED_TEXT)
    assert isinstance(recipe.hidden, tuple)
    assert isinstance(recipe.learning_rate, tuple)
    with pytest.raises(AttributeError):
        recipe.samples = 1  # type: ignore[misc]


@pytest.mark.parametrize("name", [SHIPPED, TERMINAL_ONLY])
def test_shipped_recipes_play_all_lanes_in_whole_minibatches(name):
    recipe = Recipe.parse(recipe_text(name))
    assert recipe.lanes * recipe.horizon % recipe.minibatch == 0
    assert recipe.learning_rate[0] > recipe.learning_rate[1]
    assert recipe.entropy[0] > recipe.entropy[1]
