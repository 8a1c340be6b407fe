/**
 * Letters of other alphabets that readers take for Latin ones. Unicode's own table (UTS #39) compares
 * identifiers: it equates `m` with `rn` and `I` with `l`, and would find words that the author did not write.
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

/** Latin letters with a stroke or a hook, and small capitals, which Unicode does not decompose. */
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

/** A Latin letter without its stroke or hook, or as it is spelled; any other letter unchanged. */
export const withoutStroke = (letter: string): string => PLAIN_OF.get(letter) ?? letter

/** White letters in black shapes are emoji, which Unicode does not decompose. */
export const letterInShape = (codePoint: number): string | undefined => {
  const first = [0x1f150, 0x1f170].find((from) => codePoint >= from && codePoint < from + 26)
  return first === undefined ? undefined : String.fromCharCode(0x61 + codePoint - first)
}

/** Characters that disguise Cyrillic letters. */
export const CYRILLIC_OF: ReadonlyMap<string, string> = pairUp([
  ['abcehikmnoprstuxyj034@6', 'авсенікмпоргѕтихујозчаб'],
])
