//! Ollama's own chat dialect.
