"""
Promptyoself Plugin

Self-hosted prompt scheduler for Letta agents delivered as a Sanctum MCP CLI plugin.
Allows Letta agents to schedule one-off and recurring prompts.
"""

__version__ = "0.1.0"
__author__ = "Promptyoself Development Team"
