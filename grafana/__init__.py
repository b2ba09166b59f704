"""What an operator sees: boards and rules made from a few Python values. `python -m grafana.build` writes the files."""
