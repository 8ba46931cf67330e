"""A graph as a launch description, for `ros2 launch` on a ROS 2 install. The `launch` packages are imported only when it is used."""

from __future__ import annotations

from typing import Any

from rewardbot.ros.environment import set_defaults
from rewardbot.ros.graph import argument_values, load_graph, resolve
from rewardbot.ros.supervisor import MOST_RESTARTS


def describe(name: str) -> Any:
    """The launch description of a graph: its arguments, then its nodes once the arguments are known.

    A node that may not die takes the whole launch down with it, as `rewardbot up` does.
    """
    # isort takes our folder launch/ for the package.
    from launch import LaunchDescription  # type: ignore[import-not-found]  # isort: skip
    from launch.actions import DeclareLaunchArgument, OpaqueFunction, Shutdown  # type: ignore[import-not-found]  # isort: skip
    from launch_ros.actions import Node  # type: ignore[import-not-found]  # isort: skip

    graph = load_graph(name)

    def nodes(context: Any) -> list[Any]:
        set_defaults()
        given = context.launch_configurations
        values = argument_values(graph, {argument.name: given[argument.name] for argument in graph.arguments})
        actions: list[Any] = []
        for start in resolve(graph, values):
            policy: dict[str, Any] = (
                {"respawn": True, "respawn_delay": 1.0, "respawn_max_retries": MOST_RESTARTS}
                if start.restart == "on-failure" else {"on_exit": Shutdown(reason=f"{start.name} ended")})
            actions.append(Node(
                package="rewardbot", executable=start.name, name=start.name, namespace=start.namespace,
                parameters=[*start.parameter_files, dict(start.parameters)], remappings=list(start.remappings.items()),
                output="screen", emulate_tty=True, **policy))
        return actions

    return LaunchDescription([
        *(DeclareLaunchArgument(argument.name, default_value=_text(argument.default), description=argument.help)
          for argument in graph.arguments),
        OpaqueFunction(function=nodes),
    ])


def _text(value: bool | int | float | str) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
