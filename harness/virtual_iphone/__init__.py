"""A phone on loopback that speaks an iPhone's own protocols to unmodified clients; docs/virtual-iphone.md.

It is written from the protocols, on the standard library, and shares no code with any client: a bug in a
client's encoder cannot hide behind the same bug here.
"""
