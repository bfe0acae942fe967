"""Connections to forges: what is heard from them, judged, said there, and watched."""
