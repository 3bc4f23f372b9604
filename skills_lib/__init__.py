"""The procedure: what kind of task a run was, and (from the next version on) the templates learned from runs.

This room and ``growth`` never import each other; they meet through the hooks and the store.
"""
