"""The agent: experience points, levels, abilities, and what of them goes back into its prompt."""
