"""The supervisor: names the dead, restarts who may be, leaves nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from rewardbot.ros.graph import NodeStart
from rewardbot.ros.supervisor import NodeDied, Supervisor

pytestmark = pytest.mark.ros


def node(name: str, restart: Any = "never", **parameters: Any) -> NodeStart:
    return NodeStart(name, "/rewardbot", parameters, (), {}, (), (), restart)


def gone(pid: int) -> bool:
    try:
        os.killpg(pid, 0)
    except ProcessLookupError:
        return True
    return False


def held_by(pid: int) -> list[Path]:
    """Lock files of segments and ports that a process keeps."""
    links = [Path(f"/proc/{pid}/fd") / name for name in os.listdir(f"/proc/{pid}/fd")]
    return [link.readlink() for link in links if link.is_symlink() and link.readlink().match("/dev/shm/fastdds_*_el")]


def wait_until(done: Any, what: str) -> None:
    deadline = time.monotonic() + 30.0
    while not done():
        assert time.monotonic() < deadline, f"waited for {what}"
        time.sleep(0.02)


def test_a_dead_node_is_named_and_the_rest_stopped(domain: int) -> None:
    lines: list[tuple[str, str]] = []
    with Supervisor([node("sim_node", task="reach"), node("recorder_node", run_folder="/tmp")],
                    log=lambda *line: lines.append(line)) as supervisor:
        supervisor.start()
        supervisor.wait_ready()
        supervisor.poll()
        pids = [supervisor.pid(name) for name in supervisor.names]
        segments = [path for path in held_by(supervisor.pid("recorder_node")) if not path.name.startswith("fastdds_port")]
        os.kill(supervisor.pid("recorder_node"), signal.SIGKILL)
        with pytest.raises(NodeDied, match="recorder_node was killed by signal 9") as caught:
            wait_until(lambda: supervisor.poll(), "the death to be seen")
        assert caught.value.node == "recorder_node"
    assert all(gone(pid) for pid in pids)
    assert segments and not any(path.exists() for path in segments), "18 MB of shared memory each"
    assert ("sim_node", "ready: sim_node") in lines


def test_a_node_that_may_be_restarted_is(domain: int) -> None:
    with Supervisor([node("recorder_node", "on-failure", run_folder="/tmp")], log=lambda *line: None) as supervisor:
        supervisor.start()
        supervisor.wait_ready()
        first = supervisor.pid("recorder_node")
        os.kill(first, signal.SIGKILL)

        def restarted() -> bool:
            supervisor.poll()
            return supervisor.pid("recorder_node") != first and supervisor.all_ready

        wait_until(restarted, "the restart")
        second = supervisor.pid("recorder_node")
        assert supervisor.is_ours(first) and supervisor.is_ours(second) and not supervisor.is_ours(os.getpid())
        assert supervisor.restarts == {"recorder_node": 1} and supervisor.is_ready("recorder_node")
    assert gone(first) and gone(second)


def test_a_node_that_crashes_again_and_again_ends_it_all(domain: int) -> None:
    lines: list[tuple[str, str]] = []
    # There is no such module: Python ends with exit code 1.
    with Supervisor([node("crashing_node", "on-failure")], log=lambda *line: lines.append(line)) as supervisor:
        supervisor.start()
        with pytest.raises(NodeDied, match="crashing_node ended with exit code 1") as caught:
            wait_until(lambda: supervisor.poll(), "it to be given up")
        assert "No module named" in str(caught.value)
        assert supervisor.restarts == {"crashing_node": 5} and not supervisor.is_ready("crashing_node")
    assert sum("starting it again" in line for _, line in lines) == 5


def test_a_mistake_of_the_user_is_told_in_the_nodes_words_and_not_repeated(domain: int) -> None:
    with Supervisor([node("recorder_node", "on-failure", record="nothing")], log=lambda *line: None) as supervisor:
        supervisor.start()
        with pytest.raises(NodeDied) as caught:
            supervisor.wait_ready()
    text = str(caught.value)
    assert text.startswith("recorder_node: record is 'nothing'.") and "none" in text and caught.value.exit_code == 2


def test_nodes_end_when_their_starter_is_killed(domain: int) -> None:
    code = ("from rewardbot.ros.supervisor import Supervisor; from rewardbot.ros.graph import NodeStart; import time\n"
            "s = Supervisor([NodeStart('recorder_node', '/rewardbot', {}, (), {}, (), (), 'never')])\n"
            "s.start(); s.wait_ready(); print('pid', s.pid('recorder_node'), flush=True); time.sleep(60)")
    starter = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert starter.stdout is not None
    pid = next(int(line.split()[1]) for line in starter.stdout if line.startswith("pid"))
    starter.kill()
    starter.wait()
    wait_until(lambda: gone(pid), "the orphan to end")


@pytest.mark.parametrize(("name", "arguments", "words"), [
    ("sim_node", ("-p", "task:=lfit"), "Did you mean 'lift'?"),
    ("sim_node", ("-p", "operator_noise:=-1.0"), "operator_noise is -1.0"),
    ("sim_node", ("-p", "lockstep:=7"), "It must be true or false"),
    ("policy_node", ("-p", "robot:=sim_arn"), "Did you mean 'sim_arm'?"),
    ("recorder_node", ("-p", "run_foldr:=x"), "Did you mean 'run_folder'?"),
    ("recorder_node", ("--params-file", "/nowhere.yaml"), "/nowhere.yaml"),
    ("classifier_node", ("-p", "highest_rate:=fast"), "It must be a number"),
])
def test_nonsense_parameters_end_a_node_with_exit_code_2(start_node: Any, name: str, arguments: tuple[str, ...], words: str) -> None:
    process = start_node(name, *arguments, ready=False)
    process.wait_for_line(words)
    assert process.popen.wait(timeout=30.0) == 2
    assert not any("Traceback" in line for line in process.output)
