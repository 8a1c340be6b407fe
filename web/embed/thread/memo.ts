import { Component, type ComponentChild, createElement } from 'preact'

/** Draws again only when a property is another value. */
export const memo = <P extends object>(draw: (props: P) => ComponentChild) => {
  return class Memo extends Component<P> {
    override shouldComponentUpdate(next: P): boolean {
      return (Object.keys(next) as (keyof P)[]).some((name) => next[name] !== this.props[name])
    }
    override render() {
      return createElement(draw, this.props)
    }
  }
}
