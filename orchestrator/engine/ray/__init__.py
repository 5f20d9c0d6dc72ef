"""Stages on Ray Tune: the only folder that imports Ray, and only when it runs."""
