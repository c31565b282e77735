"""The OpenAI API in front of a transport: schema, pure conversion, and the application."""
