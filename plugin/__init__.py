"""The wiring: configuration, hooks, runtime, prompt composer, command line, demo and test tools."""
