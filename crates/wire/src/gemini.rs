//! Google Gemini: AI Studio and Vertex AI.
