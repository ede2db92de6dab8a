/** Picture and sound to send: the camera and microphone, or a test picture and tone where there are none. */

/** Never rejects: who has no camera, or does not allow it, sends the test picture. */
export async function openMedia(): Promise<MediaStream> {
  try {
    return await navigator.mediaDevices.getUserMedia({ video: { width: 640, height: 480 }, audio: true })
  } catch {
    return testMedia()
  }
}

function testMedia(): MediaStream {
  const stream = testPicture()
  for (const track of testTone().getAudioTracks()) stream.addTrack(track)
  return stream
}

/** A clock face, so that one sees at the other end how late the picture is. */
function testPicture(): MediaStream {
  const canvas = document.createElement('canvas')
  canvas.width = 640
  canvas.height = 480
  const context = canvas.getContext('2d')!
  const draw = () => {
    const now = new Date()
    const angle = ((now.getTime() % 1000) / 1000) * 2 * Math.PI
    context.fillStyle = '#0f172a'
    context.fillRect(0, 0, 640, 480)
    context.strokeStyle = '#f59e0b'
    context.lineWidth = 14
    context.beginPath()
    context.arc(320, 240, 150, -Math.PI / 2, angle - Math.PI / 2)
    context.stroke()
    context.fillStyle = '#e2e8f0'
    context.font = '48px system-ui, sans-serif'
    context.textAlign = 'center'
    context.fillText(now.toLocaleTimeString(), 320, 256)
  }
  draw()
  const timer = setInterval(draw, 1000 / 30)
  const stream = canvas.captureStream(30)
  stream.getVideoTracks()[0]!.addEventListener('ended', () => clearInterval(timer))
  return stream
}

/** A quiet tone, for silence looks the same as no sound at all. */
function testTone(): MediaStream {
  const context = new AudioContext()
  const tone = context.createOscillator()
  const volume = context.createGain()
  volume.gain.value = 0.02
  const out = context.createMediaStreamDestination()
  tone.connect(volume).connect(out)
  tone.start()
  return out.stream
}
