import t from 'tap'
import {
  buildStatement,
  type Statement,
  type StatementSource,
} from '../../src/domain/moderation/statement.ts'

const POSTED = '2026-11-01T09:00:00.000Z'
const DECIDED = '2026-11-01T10:00:00.000Z'
const NEXT_DAY = '2026-11-02T10:00:00.000Z'

const COMMENT: StatementSource = {
  authorId: 7,
  status: 'approved',
  isShadowed: false,
  isRedacted: false,
  createdAt: POSTED,
  editedAt: null,
  trace: null,
  decision: null,
  appeal: null,
  readAt: DECIDED,
}
const by = (
  who: string,
  from: StatementSource['status'] = 'approved',
): Pick<StatementSource, 'decision'> => ({
  decision: { from, by: who, at: DECIDED, reason: who === 'k1' ? 'abusive' : null },
})
const APPEAL = {
  id: 1,
  text: 'Why?',
  at: DECIDED,
  outcome: null,
  note: null,
  answeredAt: null,
}

type Case = [string, Partial<StatementSource>, Partial<Statement>]

const CASES: Case[] = [
  ['published at once', {}, { standing: 'published', decidedBy: 'rules', mayAppeal: false }],
  [
    'approved by a moderator',
    by('k1', 'pending'),
    { standing: 'published', decidedBy: 'moderator', reason: null, decidedAt: DECIDED },
  ],
  [
    'rejected',
    { status: 'rejected', ...by('k1') },
    { standing: 'removed', decidedBy: 'moderator', reason: 'abusive', mayAppeal: true },
  ],
  [
    'rejected by rules',
    { status: 'rejected' },
    { standing: 'removed', decidedBy: 'rules', decidedAt: POSTED, mayAppeal: true },
  ],
  [
    'spam, a moderator says',
    { status: 'spam', ...by('a2') },
    { standing: 'removed', decidedBy: 'moderator' },
  ],
  ['held by rules', { status: 'pending' }, { standing: 'held', mayAppeal: false }],
  [
    'held by rules for a day',
    { status: 'pending', readAt: NEXT_DAY },
    { standing: 'held', mayAppeal: true },
  ],
  [
    'held by readers',
    { status: 'pending', ...by('flags') },
    { standing: 'held', decidedBy: 'readers', decidedAt: DECIDED, mayAppeal: false },
  ],
  [
    'held by a moderator',
    { status: 'pending', ...by('k1') },
    { standing: 'held', decidedBy: 'moderator', mayAppeal: true },
  ],
  [
    'deleted by its author',
    { status: 'deleted' },
    { standing: 'removed', decidedBy: 'author', decidedAt: null, mayAppeal: false },
  ],
  [
    'deleted by its author, who moderates',
    { status: 'deleted', ...by('a7') },
    { standing: 'removed', decidedBy: 'author', mayAppeal: false },
  ],
  [
    'deleted by a moderator',
    { status: 'deleted', ...by('k1') },
    { standing: 'removed', decidedBy: 'moderator', mayAppeal: true },
  ],
  ['appealed', { status: 'rejected', appeal: APPEAL }, { appeal: APPEAL, mayAppeal: false }],
  [
    'edited, and held for it',
    { status: 'pending', editedAt: DECIDED, readAt: NEXT_DAY },
    { standing: 'held', decidedAt: DECIDED },
  ],
]

t.test('the statement of a comment tells its author the status and its grounds', async (t) => {
  for (const [what, comment, told] of CASES)
    t.match(buildStatement({ ...COMMENT, ...comment }), told, what)
})

t.test('the statement of a comment held by rules is the same for pending and spam', async (t) => {
  for (const readAt of [DECIDED, NEXT_DAY]) {
    const held = buildStatement({ ...COMMENT, status: 'pending', readAt })
    t.same(buildStatement({ ...COMMENT, status: 'spam', readAt }), held)
    const later = { status: 'spam', ...by('rules', 'pending'), readAt } as const
    t.same(buildStatement({ ...COMMENT, ...later }), held, 'also when they say so later')
  }
})

t.test(
  'the statement of a shadowed comment is that of a published one, whatever its status',
  async (t) => {
    const published = buildStatement(COMMENT)
    for (const status of ['approved', 'pending', 'spam', 'rejected'] as const)
      t.same(buildStatement({ ...COMMENT, status, isShadowed: true, readAt: NEXT_DAY }), {
        ...published,
        appeal: null,
      })
  },
)

t.test('the statement names rules and their purpose, without their text matches', async (t) => {
  const trace = [
    {
      rule: 'words',
      says: 'pending',
      counts: true,
      score: 90,
      evidence: 'has “marmot”',
      found: [{ text: 'marmot', field: 'body', start: 0, end: 6 }],
    },
    { rule: 'links', says: 'pending', counts: false, evidence: 'only recorded' },
    { rule: 'role', says: 'approved', evidence: 'trusted' },
    { rule: 'ban', says: 'rejected', counts: true, evidence: 'ban 7' },
    { rule: 'checks.acme', says: 'spam', counts: true, evidence: 'acme is sure' },
    { rule: 'checks.other', says: 'pending', counts: true, evidence: 'other is sure' },
    { rule: 'of tomorrow', says: 'spam', counts: true, evidence: 'secret' },
  ] as const
  const { rules } = buildStatement({ ...COMMENT, status: 'spam', trace })
  t.same(
    rules.map(({ rule }) => rule),
    ['words', 'checks', 'of tomorrow'],
  )
  t.notMatch(JSON.stringify(rules), /marmot|90|secret|acme/)
})
