"""What the commands do. `engine.cli` declares them and imports one of these modules when its command is run."""
