"""Colours: blue is well, orange is not; every state has a glyph and a word beside its colour."""

from __future__ import annotations

from textual.theme import Theme

_MODES_DARK = {"rehearsal": "#1b6ac9", "rehearsal-text": "#ffffff", "live": "#e8850c", "live-text": "#000000"}
_MODES_LIGHT = {
    "rehearsal": "#0b5cad",
    "rehearsal-text": "#ffffff",
    "live": "#d97706",
    "live-text": "#000000",
}

THEMES = (
    Theme(
        name="migrator-night",
        primary="#7cc4ff",
        secondary="#9aa7b5",
        accent="#a8c7fa",
        success="#5aa9e6",
        warning="#f2c14e",
        error="#ff8c42",
        foreground="#d7dde5",
        background="#10151b",
        surface="#151b23",
        panel="#1d2630",
        dark=True,
        variables=_MODES_DARK,
    ),
    Theme(
        name="migrator-paper",
        primary="#0b5cad",
        secondary="#555f6b",
        accent="#1f3f77",
        success="#1565a9",
        warning="#8a5a00",
        error="#b34700",
        foreground="#1c2127",
        background="#fbfaf7",
        surface="#f4f2ed",
        panel="#e9e6de",
        dark=False,
        variables=_MODES_LIGHT,
    ),
    Theme(
        name="migrator-contrast",
        primary="#66ccff",
        secondary="#ffffff",
        accent="#ffffff",
        success="#4db8ff",
        warning="#ffd500",
        error="#ff9e3d",
        foreground="#ffffff",
        background="#000000",
        surface="#000000",
        panel="#1a1a1a",
        dark=True,
        text_alpha=1.0,
        variables=_MODES_DARK,
    ),
)
DEFAULT_THEME = "migrator-night"
