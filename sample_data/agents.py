"""The user agents of the sample's clicks: browsers of people, and programs that fetch links.

Not here: who clicks when (`traffic`).
"""

import polars as pl

_BROWSERS = [
    *(
        f"Mozilla/5.0 (iPhone; CPU iPhone OS {version} like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
        f"Version/{version.split('_')[0]}.0 Mobile/15E148 Safari/604.1"
        for version in ("17_6", "18_1", "18_2", "18_3", "26_1", "26_2")
    ),
    *(
        f"Mozilla/5.0 (Linux; Android {version}; K) AppleWebKit/537.36 (KHTML, like Gecko) "
        f"Chrome/{chrome}.0.0.0 Mobile Safari/537.36"
        for version, chrome in ((14, 138), (15, 141), (15, 142), (16, 143))
    ),
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/143.0.0.0 Safari/537.36",
]

# Link previews of messengers, and a scanner.
_PROGRAMS = [
    "facebookexternalhit/1.1 Facebot Twitterbot/1.0",
    "WhatsApp/2.24.20 A",
    "Mozilla/5.0 (compatible; Google-Safety; +http://www.google.com/bot.html)",
    "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)",
]

#: All agents by number, and the numbers of the two kinds.
AGENTS = pl.Series([*_BROWSERS, *_PROGRAMS])
BROWSERS, PROGRAMS = range(len(_BROWSERS)), range(len(_BROWSERS), len(AGENTS))
