"""The frameworks: one module per import name, applied when that module is imported, never importing it."""

AGENTCHAT = "autogen_agentchat"
"""What runs of AutoGen AgentChat have as their framework."""

LANGCHAIN = "langchain"
"""What runs of LangChain have as their framework, LangGraph's included: its graphs are runnables of LangChain."""
