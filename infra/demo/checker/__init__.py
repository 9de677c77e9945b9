"""The independent check: both systems' histories compared and judged by code of its own; it shares none with Tandem."""
