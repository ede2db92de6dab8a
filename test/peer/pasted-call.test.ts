/** A call without a server: the text that people carry, and two peers that find each other by it. */

import { describe, expect, it } from 'vitest'
import { answerInvitation, invite } from '../../src/peer/pasted-call.ts'
import { decodePasted, encodePasted } from '../../src/peer/pasted-text.ts'

const sdp = `v=0\r\no=- 1 0 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\nm=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\na=mid:0\r\na=ice-ufrag:abcd\r\n`

const frozen = 'turnpike1.ePlU2z0ly4cHsCGJQUz1EEN4ODEpOYWXCwAz-Soi'

describe('a description as a line of text', () => {
  it.each(['offer', 'answer'] as const)('comes back as it was: %s', (type) => {
    const text = encodePasted({ type, sdp })
    expect(text).toMatch(/^turnpike1\.[\w-]+$/)
    expect(decodePasted(text)).toEqual({ type, sdp })
  })

  it('is read through what mail programs make of it', () => {
    const text = encodePasted({ type: 'offer', sdp })
    expect(decodePasted(`  ${text.slice(0, 20)}\r\n ${text.slice(20)}\u0000\n`)).toEqual({
      type: 'offer',
      sdp,
    })
  })

  it('stays what it is: older texts are read by newer versions', () => {
    expect(decodePasted(frozen)).toEqual({ type: 'offer', sdp })
  })

  it.each([
    ['', 'nothing was pasted'],
    ['hello', 'it does not begin with turnpike1.'],
    ['turnpike2.AAAA', 'it does not begin with turnpike1.'],
    ['turnpike1.', 'it has characters that do not belong to it'],
    ['turnpike1.a+b', 'it has characters that do not belong to it'],
    ['turnpike1.AAAA', 'it is not complete, or has been changed on its way'],
  ])('is not %j', (text, why) => expect(decodePasted(text)).toBe(why))

  it('tells when anything of it is missing or changed', () => {
    const text = encodePasted({ type: 'offer', sdp })
    // A change may also be one that makes no difference: another place of the dictionary with the same words.
    const isRead = (changed: string) => {
      const read = decodePasted(changed)
      return typeof read === 'object' && (read.sdp !== sdp || changed.length < text.length)
    }
    for (let at = 11; at < text.length - 1; at++)
      expect(isRead(text.slice(0, at)), `cut at ${at}`).toBe(false)
    for (let at = 11; at < text.length - 1; at++) {
      const changed = text.slice(0, at) + (text[at] === 'x' ? 'y' : 'x') + text.slice(at + 1)
      expect(isRead(changed), `changed at ${at}`).toBe(false)
    }
  })

  it('unpacks no more than a description can have', () => {
    const bomb = encodePasted({ type: 'offer', sdp: 'a'.repeat(70_000) })
    expect(bomb.length).toBeLessThan(500)
    expect(decodePasted(bomb)).toBe('it is not complete, or has been changed on its way')
  })
})

describe('two peers by copy and paste', { timeout: 120_000 }, () => {
  it('connect, talk, and hang up', async () => {
    const heard: string[] = []
    const invitation = await invite({}, { message: (text) => heard.push(`ann: ${text}`) })
    // A line that a terminal takes whole, which is 4,095 characters.
    expect(invitation.text.length).toBeLessThan(2000)
    const answer = await answerInvitation(
      invitation.text,
      { echo: true },
      { ended: (reason) => heard.push(`bob: ${reason}`) },
    )
    await invitation.accept(answer.text)
    await Promise.all([invitation.call.connected(), answer.call.connected()])
    invitation.call.say('hello')
    await expect.poll(() => heard, { timeout: 60_000 }).toEqual(['ann: hello'])
    expect(await invitation.call.path()).toMatchObject({ isRelayed: false })
    await invitation.call.close()
    await expect.poll(() => heard, { timeout: 60_000 }).toContain('bob: the peer hung up')
    await answer.call.close()
  })

  it('say what is wrong with a text, and take the right one afterwards', async () => {
    const invitation = await invite()
    await expect(invitation.accept('hello')).rejects.toThrow('it does not begin with turnpike1.')
    await expect(invitation.accept(invitation.text)).rejects.toThrow(
      'that is an invitation, where its answer is wanted',
    )
    const answer = await answerInvitation(invitation.text)
    await expect(answerInvitation(answer.text)).rejects.toThrow('that is an answer, not an invitation')
    await invitation.accept(answer.text)
    await invitation.call.connected()
    await Promise.all([invitation.call.close(), answer.call.close()])
  })
})
