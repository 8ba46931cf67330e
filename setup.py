"""Packaging for pip and for colcon (ament_python). Tools are configured in pyproject.toml, versions in constraints.txt."""

import re
from pathlib import Path

from setuptools import find_namespace_packages, setup

HERE = Path(__file__).parent
NODES = ("sim_node", "recorder_node", "classifier_node", "learner_node", "policy_node", "teleop_node", "camera_node",
         "preference_node", "practice_node")
WINDOWS = ("teleop_window", "goal_window", "preference_window")

# ros-* are the wheels of ROS 2 for machines without a ROS 2 install. They are an extra, never a requirement: on a ROS 2
# install they would shadow the rclpy and the messages of that distribution.
ROS = ["ros-rclpy[fastrtps]", "ros-common-interfaces"]
DEVELOPMENT = [
    "basedpyright", "colcon-core", "colcon-library-path", "colcon-recursive-crawl", "colcon-ros", "hypothesis",
    "import-linter", "mcap-ros2-support", "pytest", "pytest-qt", "pytest-xdist", "python-xlib", "ruff",
]


def version() -> str:
    """`rewardbot.__version__`, read without importing the package."""
    return re.findall(r'__version__ = "(.+)"', (HERE / "rewardbot" / "__init__.py").read_text())[0]


def shared(*folders: str) -> list[tuple[str, list[str]]]:
    """(place under the prefix, files) for every file in `folders`, kept in their subfolders of share/rewardbot."""
    files = (path.relative_to(HERE) for folder in folders for path in sorted((HERE / folder).rglob("*")))
    by_folder: dict[str, list[str]] = {}
    for file in files:
        if (HERE / file).is_file() and file.suffix != ".pyc":
            by_folder.setdefault(f"share/rewardbot/{file.parent}", []).append(str(file))
    return sorted(by_folder.items())


setup(
    name="rewardbot",
    version=version(),
    description="Robots that learn what their operator wants, from success images and demonstrations, over ROS 2",
    license="Apache-2.0",
    packages=find_namespace_packages(include=["rewardbot", "rewardbot.*"]),
    python_requires=">=3.11",
    install_requires=[
        "daqp", "gymnasium", "imageio", "imageio-ffmpeg", "matplotlib", "mink", "mujoco", "numpy", "opencv-python-headless", "pillow",
        "PyYAML", "rich", "rosbags",
        "ruamel.yaml.clib",  # rosbags reads YAML with it, if it is there: a bag opens three times as quickly
        "safetensors", "scipy", "tensorboard", "torch",
    ],
    extras_require={
        "ros": ROS, "dev": DEVELOPMENT, "bench": ["stable-baselines3"], "gui": ["PyQt5", "pyqtgraph"], "devices": ["pyspacemouse"],
        "exchange": ["h5py", "minari", "pyarrow"],
    },
    data_files=[
        ("share/ament_index/resource_index/packages", ["resource/rewardbot"]),
        ("share/rewardbot", ["package.xml"]),
        *shared("config", "launch", "sim"),
    ],
    entry_points={
        "console_scripts": [
            "rewardbot = rewardbot.cli:main",
            *(f"{node} = rewardbot.ros.{node}:main" for node in NODES),
            *(f"{window} = rewardbot.gui.{window}:main" for window in WINDOWS),
        ]
    },
    zip_safe=False,
)
