"""Classifiers on frozen features, fine-tuning, and how good they are."""
