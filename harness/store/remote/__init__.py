"""Stores of runs: places where the runs of several people and machines gather.

<store>/
  store.json             that this is a store, and of which layout
  runs/RUN/files.json    every file of the run, with its hash: what is read of a run begins here
  runs/RUN/report.json   the report as the run was sent, written last; of several devices group_report.json, and
  runs/RUN/devices/…/report.json
  baselines/NAME.json
  blobs/SHA256           the bytes of all files of all runs, each once
"""
