"""From events to what a person or a program reads."""
