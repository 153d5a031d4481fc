"""The sample's contacts: their number, countries, mobile numbers, and traits.

Not here: what they do (`traffic`).
"""

from dataclasses import dataclass

import numpy as np
import polars as pl

NORTH_AMERICA, BRITAIN, FRANCE, IRELAND, GERMANY, SWEDEN, AUSTRALIA, OVERFLOW = range(8)

# Real area codes. In each, the line numbers 555-0100 to 555-0199 are reserved for fiction.
_AREA_CODE_LIST = """
    201 202 203 205 206 207 208 209 210 212 213 214 215 216 217 218 219 224 225 228 229 231 234 239 240 248 251 252
    253 254 256 260 262 267 269 270 276 281 301 302 303 304 305 307 308 309 310 312 313 314 315 316 317 318 319 320 321
    323 325 330 334 336 337 339 352 360 361 386 401 402 404 405 406 407 408 409 410 412 413 414 415 416 417 419 423 425
    430 432 434 435 440 443 469 470 501 502 503 504 505 507 508 509 510 512 514 604 613 647 702 778 902 905"""
_AREA_CODES = np.array(_AREA_CODE_LIST.split(), dtype=np.int64)
# Area codes with a 9 in the middle are reserved for an extension of the plan: nobody has a number in them.
_UNUSED_AREA_CODES = np.array([code for code in range(200, 1000) if code // 10 % 10 == 9], dtype=np.int64)

# Reserved for fiction: Germany 0171 39200xx and 0176 040690xx, Sweden 070 1740605 to 070 1740699, Australia the numbers below.
_GERMAN_NUMBERS = np.concatenate([491_713_920_000 + np.arange(100), 4_917_604_069_000 + np.arange(100)])
_SWEDISH_NUMBERS = 46_701_740_605 + np.arange(95)
_AUSTRALIAN_NUMBER_LIST = """
    570006 570156 570157 570158 570159 570110 571266 571491 571804 572549 572665 572983 573770 573087 574118 574632
    575254 575789 576398 576801 577426 577644 578957 578148 578888 578212 579760 579455"""
_AUSTRALIAN_NUMBERS = 61_491_000_000 + np.array(_AUSTRALIAN_NUMBER_LIST.split(), dtype=np.int64)

# The share of the contacts, and the number of mobile numbers that the country reserves for fiction: Britain 07700 900xxx, France
# 06 39 98 xx xx, Ireland 020 91x xxxx.
_BLOCKS = {
    NORTH_AMERICA: (0.64, len(_AREA_CODES) * 100),
    BRITAIN: (0.14, 1_000),
    FRANCE: (0.08, 10_000),
    IRELAND: (0.06, 100_000),
    GERMANY: (0.05, len(_GERMAN_NUMBERS)),
    SWEDEN: (0.02, len(_SWEDISH_NUMBERS)),
    AUSTRALIA: (0.01, len(_AUSTRALIAN_NUMBERS)),
}


@dataclass(frozen=True)
class Contacts:
    """The contacts, numbered from 0. Nothing is stored per contact: all its traits follow from its number and the key."""

    count: int
    key: int

    @classmethod
    def for_traffic(cls, sends: int, days: int, key: int) -> "Contacts":
        """So many contacts that each gets two or three messages a week; a prime number, which `Calendar.audience` needs."""
        count = max(11, int(sends / max(1.2, 0.35 * days)))
        while any(count % divisor == 0 for divisor in range(2, int(count**0.5) + 1)):
            count += 1
        return cls(count, key)

    def trait(self, contacts: np.ndarray, kind: int) -> np.ndarray:
        """For N contacts, N numbers in [0, 1): always the same for the same contact and kind of trait."""
        mixed = contacts.astype(np.uint64) + np.array([self.key + kind * 0x51ED2701], dtype=np.uint64)
        for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB), (31, 1)):
            mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
        return (mixed >> np.uint64(11)) * 2.0**-53

    def countries(self, contacts: np.ndarray) -> np.ndarray:
        """For N contacts, N country constants. OVERFLOW is North America, too."""
        return np.searchsorted(self._block_ends(), contacts, side="right")

    def mobile_numbers(self, contacts: np.ndarray) -> pl.Series:
        """For N contacts, N different E.164 numbers. The numbers reserved for fiction come first; then numbers with a North
        American area code that is not in use.
        """
        ends = self._block_ends()
        index = contacts - np.concatenate([[0], ends])[self.countries(contacts)]
        area, turn = index % len(_AREA_CODES), index // len(_AREA_CODES)
        unused, unused_turn = index % len(_UNUSED_AREA_CODES), index // len(_UNUSED_AREA_CODES)
        numbers = np.select(
            [contacts < end for end in ends],
            [
                10_000_000_000 + _AREA_CODES[area] * 10_000_000 + 5_550_100 + turn * 37 % 100,
                447_700_900_000 + index,
                33_639_980_000 + index * 7_919 % 10_000,
                353_209_100_000 + index * 7_919 % 100_000,
                _GERMAN_NUMBERS[index % len(_GERMAN_NUMBERS)],
                _SWEDISH_NUMBERS[index % len(_SWEDISH_NUMBERS)],
                _AUSTRALIAN_NUMBERS[index % len(_AUSTRALIAN_NUMBERS)],
            ],
            10_002_000_000 + _UNUSED_AREA_CODES[unused] * 10_000_000 + unused_turn,  # exchange 200 and up
        )
        return "+" + pl.Series(numbers).cast(pl.String)

    def _block_ends(self) -> np.ndarray:
        """For each block of numbers, the contact after its last one."""
        return np.cumsum([min(int(share * self.count), room) for share, room in _BLOCKS.values()])
