"""A graph as a launch description, for `ros2 launch` on a ROS 2 install. The `launch` packages are imported only when it is used."""

from __future__ import annotations

import os
import time
from typing import Any

from rewardbot.ros.environment import STARTER_VARIABLE, set_defaults
from rewardbot.ros.graph import NodeStart, argument_values, load_graph, resolve
from rewardbot.ros.supervisor import MOST_RESTARTS, USER_MISTAKE


def describe(name: str) -> Any:
    """The launch description of a graph: its arguments, then its nodes once the arguments are known.

    As in `rewardbot up`, a node that crashes is started again, and one that ends by itself, or because of a mistake of the
    user's, takes the whole launch down with it, unless it is one that `leaves`.
    """
    # isort takes our folder launch/ for the package.
    from launch import LaunchDescription  # type: ignore[import-not-found]  # isort: skip
    from launch.actions import DeclareLaunchArgument, LogInfo, OpaqueFunction, Shutdown  # type: ignore[import-not-found]  # isort: skip
    from launch_ros.actions import Node  # type: ignore[import-not-found]  # isort: skip

    graph = load_graph(name)

    def nodes(context: Any) -> list[Any]:
        set_defaults()
        environment = {STARTER_VARIABLE: f"{os.getpid()}-{time.time_ns():x}"}
        values = argument_values(graph, {argument.name: context.launch_configurations[argument.name] for argument in graph.arguments})

        def node(start: NodeStart, left: int = MOST_RESTARTS) -> Any:
            def leave(event: Any) -> Any:
                if event.returncode == USER_MISTAKE and left == MOST_RESTARTS:
                    return Shutdown(reason=f"{start.name} ended")
                if event.returncode in (0, USER_MISTAKE) or not left:
                    return LogInfo(msg=f"{start.name} is gone; the others go on. To open it again: {start.command}")
                return node(start, left - 1)

            def end(event: Any) -> Any:
                stays_down = start.restart != "on-failure" or event.returncode in (0, USER_MISTAKE)
                return Shutdown(reason=f"{start.name} ended") if stays_down else None

            def on_exit(event: Any, context: Any) -> Any:
                if context.is_shutdown:  # in which all of them end
                    return None
                return leave(event) if start.leaves else end(event)

            restarts: dict[str, Any] = (
                {"respawn": True, "respawn_delay": 1.0, "respawn_max_retries": MOST_RESTARTS}
                if start.restart == "on-failure" and not start.leaves else {})
            return Node(
                package="rewardbot", executable=start.name, name=start.name, namespace=start.namespace,
                parameters=[*start.parameter_files, dict(start.parameters)], remappings=list(start.remappings.items()),
                output="screen", emulate_tty=True, additional_env=environment, on_exit=on_exit, **restarts)

        return [node(start) for start in resolve(graph, values)]

    return LaunchDescription([
        *(DeclareLaunchArgument(argument.name, default_value=_text(argument.default), description=argument.help)
          for argument in graph.arguments),
        OpaqueFunction(function=nodes),
    ])


def _text(value: bool | int | float | str) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
