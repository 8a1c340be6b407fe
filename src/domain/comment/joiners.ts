/** Scripts that join letters, so that a non-joiner between two letters shows. */
const CURSIVE =
  'Arabic Syriac Mongolian Nko Mandaic Manichaean Phags_Pa Adlam Hanifi_Rohingya Sogdian Psalter_Pahlavi Chorasmian Old_Uyghur'
    .split(' ')
    .map((script) => `\\p{Script=${script}}`)
    .join('')

/** Arabic and Syriac letters that never join the letter after them. Source: Unicode's ArabicShaping.txt. */
const NEVER_JOINS_NEXT =
  '\\u0621-\\u0625\\u0627\\u0629\\u062f-\\u0632\\u0648\\u0671-\\u0677\\u0688-\\u0699\\u06c0\\u06c3-\\u06cb' +
  '\\u06cd\\u06cf\\u06d2\\u06d3\\u06d5\\u06ee\\u06ef\\u0710\\u0715-\\u0719\\u071e\\u0728\\u072a\\u072c' +
  '\\u072f\\u074d\\u0759-\\u075b\\u076b\\u076c\\u0771\\u0773\\u0774\\u0778\\u0779\\u08aa-\\u08ac\\u08ae' +
  '\\u08b1\\u08b2\\u08b9'

/** Signs that take the vowel from a consonant: Unicode's combining class 9. */
const VIRAMA =
  '[\\u094d\\u09cd\\u0a4d\\u0acd\\u0b4d\\u0bcd\\u0c4d\\u0ccd\\u0d3b\\u0d3c\\u0d4d\\u0dca\\u0e3a\\u0eba\\u0f84' +
  '\\u1039\\u103a\\u1714\\u1734\\u17d2\\u1a60\\u1b44\\u1baa\\u1bab\\u1bf2\\u1bf3\\ua806\\ua8c4\\ua953\\ua9c0' +
  '\\uaaf6\\uabed\\u{11046}\\u{1107f}\\u{110b9}\\u{11133}\\u{11134}\\u{111c0}\\u{11235}\\u{1134d}\\u{11442}' +
  '\\u{114c2}\\u{115bf}\\u{1163f}\\u{116b6}\\u{1172b}\\u{11839}]'

const AFTER_VIRAMA = `(?<=\\p{L}\\p{M}*${VIRAMA}\\p{M}*)`
const IN_CURSIVE_WORD =
  `(?<=(?![${NEVER_JOINS_NEXT}])(?=[${CURSIVE}])\\p{L}[\\p{Mn}\\p{Me}]*)\\u200c` +
  `(?=[\\p{Mn}\\p{Me}]*(?=[${CURSIVE}])(?!\\u0621)\\p{L})`

const PICTOGRAPH = '\\p{Extended_Pictographic}'

/**
 * A joiner or non-joiner that its script needs, a joiner inside an emoji, or the flag of England, Scotland
 * or Wales, which has invisible letters.
 * Sources: UAX #31, contexts A1, A2 and B; UTS #51. Bengali also writes a joiner before the virama of র‍্য.
 */
const NEEDED = [
  IN_CURSIVE_WORD,
  `${AFTER_VIRAMA}\\u200c(?=\\p{M}*\\p{L})`,
  `${AFTER_VIRAMA}\\u200d(?!\\p{M})`,
  '(?<=\\u09b0)\\u200d(?=\\u09cd)',
  `(?<=${PICTOGRAPH}[\\p{Emoji_Modifier}\\ufe0f]*)\\u200d(?=${PICTOGRAPH})`,
  '\\p{RGI_Emoji_Tag_Sequence}',
].join('|')
const NEEDED_OR_ODD = new RegExp(`(${NEEDED})|[\\p{Cf}\\p{Cs}\\p{Co}]`, 'gv')

/**
 * Removes direction, zero-width, private and other format characters. Keeps joiners where a script or an
 * emoji needs them; elsewhere they are invisible, and two names would look the same.
 */
export const withoutOddFormats = (s: string): string => s.replace(NEEDED_OR_ODD, '$1')
