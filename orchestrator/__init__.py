"""From a sweep file to finished stages: plan, store, engine, tracking, command line."""
