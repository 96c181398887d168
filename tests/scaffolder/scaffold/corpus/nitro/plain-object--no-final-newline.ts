export default {
  serverDir: './server',
  imports: false,
}