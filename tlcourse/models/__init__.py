"""Pretrained networks for pictures and text: names, weights, preprocessing, blocks."""
