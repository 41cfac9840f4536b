"""`python -m engine` is `face-recovery`."""

from engine.cli import main

if __name__ == "__main__":
    main()
