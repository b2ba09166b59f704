"""The command line of the first floor. Each command's imports wait until it is called."""
