export default () => ({ modules: ['workflow/nitro'] });
