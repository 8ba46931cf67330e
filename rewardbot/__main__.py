"""`python -m rewardbot` is the `rewardbot` command."""

from rewardbot.cli import main

if __name__ == "__main__":
    main()
