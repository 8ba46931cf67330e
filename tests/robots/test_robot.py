"""Robot contracts from files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from rewardbot.config import to_mapping
from rewardbot.errors import ConfigError
from rewardbot.robots.robot import CameraContract, load_contract


def test_a_contract_of_the_users_own(tmp_path: Path) -> None:
    contract = replace(load_contract(), name="mine", cameras={"top": CameraContract(32, 24)})
    file = tmp_path / "mine.yaml"
    file.write_text(yaml.safe_dump(to_mapping(contract)))
    assert load_contract(str(file)) == contract
    file.write_text("contol_hz: 5.0\n")
    with pytest.raises(ConfigError, match=r"mine\.yaml: .*'contol_hz'"):
        load_contract(str(file))
    with pytest.raises(ConfigError, match=r"Cannot read .*other\.yaml"):
        load_contract(str(tmp_path / "other.yaml"))


def test_an_unknown_name() -> None:
    with pytest.raises(ConfigError, match="There is no robot named 'sim_amr'") as caught:
        load_contract("sim_amr")
    assert "Did you mean 'sim_arm'?" in str(caught.value)
