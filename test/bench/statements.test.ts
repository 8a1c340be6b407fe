import t from 'tap'
import { readSessions, toScript } from '../../bench/sql/statements.ts'

const line = (pid: number, message: string, detail?: string, dbname = 'one') =>
  JSON.stringify({ pid, dbname, message, detail })

t.test(
  'a statement log is read into the statements of each session, with parameters',
  async (t) => {
    const log = [
      line(1, 'statement: begin'),
      line(2, 'execute afterword_a: select $1', "Parameters: $1 = '1'"),
      line(1, 'execute <unnamed>: insert $1, $2', "Parameters: $1 = 'It''s', $2 = NULL"),
      line(1, 'statement: commit'),
      line(3, 'statement: select 1', undefined, 'another'),
      line(1, 'checkpoint starting: time'),
    ].join('\n')
    t.same(readSessions(log, 'one'), [
      [
        { text: 'begin', parameters: [] },
        { text: 'insert $1, $2', parameters: ["It's", null] },
        { text: 'commit', parameters: [] },
      ],
      [{ text: 'select $1', parameters: ['1'] }],
    ])
  },
)

t.test(
  'a pgbench script has the statements word for word, with variables for parameters',
  async (t) => {
    const statements = [
      { text: 'select a::text from b where c = $1 and d = $2 and e = $1', parameters: ['77', 'x'] },
      { text: 'insert into f values ($1, $2)', parameters: [null, '77'] },
    ]
    const script = toScript(statements, {
      setUp: ['\\set n random(1, 9)'],
      bind: (value) => (value === '77' ? ':n' : undefined),
    })
    t.equal(
      script.text,
      [
        '\\set n random(1, 9)',
        'select a::text from b where c = :n and d = :s0p2 and e = :n;',
        'insert into f values (null, :n);',
        '',
      ].join('\n'),
    )
    t.same(script.values, { s0p2: 'x' })
  },
)
