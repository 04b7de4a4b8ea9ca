"""Workloads, asv suite, peer comparison and instruction-count gate of fastroi."""
