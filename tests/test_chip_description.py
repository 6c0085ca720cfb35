"""A chip's file: what it leaves out, and what it must not say."""

import pytest

from dalif_deploy.hw_models.chips.description import load_chip, read_chip_description
from dalif_deploy.hw_models.chips.names import CHIP_FOLDER, DEFAULT_CHIP, chip_names
from dalif_deploy.hw_models.errors import UserError


def changed(tmp_path, *replacements):
    text = (CHIP_FOLDER / "loihi2.toml").read_text(encoding="utf-8")
    for old, new in replacements:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    path = tmp_path / "loihi2.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_every_chip_is_known_by_its_file_s_name():
    assert {"loihi1", "loihi2"} <= set(chip_names())
    assert DEFAULT_CHIP in chip_names()
    for name in chip_names():
        assert load_chip(name).name == name
    with pytest.raises(UserError, match=r"unknown chip 'loihi9'; choose one of .*loihi1"):
        load_chip("loihi9")


def test_a_chip_that_says_nothing_of_messages_sends_spikes(tmp_path):
    assert read_chip_description(changed(tmp_path)).formats.max_message_bits == 24
    path = changed(tmp_path, ("max_message_bits = 24", "# = 24"))
    assert read_chip_description(path).formats.max_message_bits == 1


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("max_message_bits = 24", "max_message_bits = 0"),
        ("max_message_bits = 24", "max_message_bits = 25"),
        ("max_message_bits = 24", "messages = 24"),
        ("cores_per_tile = 4", "cores_per_tile = 3"),
        ("cores_per_tile = 4", "cores_per_tile = 0"),
    ],
)
def test_what_no_chip_can_be_is_refused_by_file(tmp_path, old, new):
    with pytest.raises(UserError) as refusal:
        read_chip_description(changed(tmp_path, (old, new)))
    assert "loihi2.toml" in str(refusal.value) and "\n" not in str(refusal.value)
