"""The iPhone target.

The harness's own process never talks to a phone. It starts one worker process for each phone and speaks JSON lines
with it over pipes (``messages``); the worker holds the connections. A worker that hangs is killed, which closes them.

    target, group  ─►  worker_process  ═ pipes ═►  phone_worker  ─►  job_run  ─►  device/*  ─►  pymobiledevice3

``device`` is the only package that imports pymobiledevice3. What can be decided without a phone is pure and stands
beside it: ``deployment``, ``adoption``, ``crash_reports``, ``ending``, ``checks``.
"""
