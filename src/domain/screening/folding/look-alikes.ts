/**
 * Letters of other alphabets that readers take for Latin ones. The table of Unicode (UTS #39) is made to
 * compare identifiers: it takes `m` for `rn` and `I` for `l`, and would find words that nobody wrote.
 */
const ALIKE: readonly (readonly [alike: string, latin: string])[] = [
  // Cyrillic
  ['АВЕКМНОРСТУХІЈЅҺԌԚԜѴЬГПШЯ', 'abekmhopctyxijshgqwvbrnwr'],
  ['авекмнорстухіјѕһԍԛԝѵьгпшяԁӏ', 'abekmhopctyxijshgqwvbrnwrdl'],
  // Greek
  ['ΑΒΕΖΗΙΚΜΝΟΡΤΥΧϹϜ', 'abezhikmnoptyxcf'],
  ['αβγεηικνορτυχωςϲσ', 'abyenikvoptuxwcco'],
  // Armenian, Cherokee, Coptic
  ['օսհոցզԼՕՏՍ', 'oshngqloso'],
  ['ᎪᏴᏟᎠᎬᎻᎫᏦᏞᎷᏢᎡᏚᎢᏙᎳᏃ', 'abcdehjklmprstvwz'],
  ['ⲀⲂⲤⲈⲎⲒⲔⲘⲚⲞⲢⲦⲨⲬ', 'abcehikmnoptyx'],
]

/** Latin letters that are others with a stroke, a hook, or small capitals: no decomposition says so. */
const PLAIN: readonly (readonly [letters: string, latin: string])[] = [
  ['øłđħŧɨʉƀɓƈɗɖƒɠƙɱɲŋƥɾʂƭʋƴʐ', 'oldhtiubbcddfgkmnnprstvyz'],
  ['ɑɡıȷɩɪᴀʙᴄᴅᴇꜰɢʜᴊᴋʟᴍɴᴏᴘʀꜱᴛᴜᴠᴡʏᴢ', 'agijiiabcdefghjklmnoprstuvwyz'],
]
const SPELLED: Readonly<Record<string, string>> = { æ: 'ae', œ: 'oe', þ: 'th', ð: 'd' }

const pairUp = (tables: readonly (readonly [string, string])[]): Map<string, string> =>
  new Map(tables.flatMap(([from, to]) => Array.from(from, (c, n) => [c, to[n]!] as const)))

const LATIN_OF = pairUp(ALIKE)
const PLAIN_OF = new Map([...pairUp(PLAIN), ...Object.entries(SPELLED)])

/** The Latin letter that this letter, in its case and without accents, looks like. */
export const latinLookOf = (letter: string): string | undefined => LATIN_OF.get(letter)

/** A Latin letter without its stroke or hook, or what it is spelled as; any other as it is. */
export const withoutStroke = (letter: string): string => PLAIN_OF.get(letter) ?? letter

/** White letters in black shapes: emoji, which no decomposition takes for letters. */
export const letterInShape = (codePoint: number): string | undefined => {
  const first = [0x1f150, 0x1f170].find((from) => codePoint >= from && codePoint < from + 26)
  return first === undefined ? undefined : String.fromCharCode(0x61 + codePoint - first)
}

/** What Cyrillic words are written with by those who hide them. */
export const CYRILLIC_OF: ReadonlyMap<string, string> = pairUp([
  ['abcehikmnoprstuxyj034@6', 'авсенікмпоргѕтихујозчаб'],
])
