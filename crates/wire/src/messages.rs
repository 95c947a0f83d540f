//! Anthropic Messages: Claude's dialect, at Anthropic, on Vertex AI and on Bedrock, and that of Claude Code.
