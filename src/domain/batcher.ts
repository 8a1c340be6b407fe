const MAX_BATCH = 1_000

type Batch<Question, Answer> = {
  readonly questions: Map<string, Question>
  readonly answers: Promise<ReadonlyMap<string, Answer>>
}

/**
 * Asks many questions at once, one batch after the other: all questions of one turn of the event
 * loop go out together, and those that come while a batch is under way wait for the next. What has
 * been sent is joined by nobody, because its answer may be older than the question.
 * @param load answers in the order of the questions; when it rejects, so do all of the batch
 * @param spacingMs at least so long from one batch to the next: the first of many questions goes out
 *   at once, and the others together, instead of each at the cost of a system call
 */
export const createBatcher = <Question, Answer>(
  load: (questions: readonly Question[]) => Promise<readonly Answer[]>,
  keyOf: (question: Question) => string,
  spacingMs = 0,
): ((question: Question) => Promise<Answer>) => {
  let underWay: Promise<unknown> = Promise.resolve()
  let waiting: Batch<Question, Answer> | undefined

  const send = async (questions: Map<string, Question>): Promise<Map<string, Answer>> => {
    if (waiting?.questions === questions) waiting = undefined
    const answers = await load([...questions.values()])
    return new Map([...questions.keys()].map((key, i) => [key, answers[i]!]))
  }

  const open = (): Batch<Question, Answer> => {
    const questions = new Map<string, Question>()
    const sent = underWay.then(endOfTurn)
    const answers = sent.then(() => send(questions))
    const spaced = spacingMs > 0 ? sent.then(() => pause(spacingMs)) : sent
    underWay = Promise.all([answers.catch(() => {}), spaced])
    return { questions, answers }
  }

  return async (question) => {
    const key = keyOf(question)
    if (waiting === undefined || waiting.questions.size >= MAX_BATCH) waiting = open()
    waiting.questions.set(key, question)
    return (await waiting.answers).get(key)!
  }
}

const endOfTurn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve))
const pause = (ms: number): Promise<void> => new Promise((resolve) => void setTimeout(resolve, ms))
